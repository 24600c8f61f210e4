"""The gateway's own framing of a PNG file, so that every peer does the same work on it."""

import numpy as np

from serving.gateway.imaging.decode import open_image, read_levels
from serving.gateway.imaging.framing import frame_mnist

MAX_PIXELS = 25_000_000


def pixels_of(file: bytes) -> np.ndarray:
    """Return a PNG file as uint8 `[28, 28]`, framed as MNIST is."""
    return frame_mnist(read_levels(open_image(file, MAX_PIXELS)), 28, 28)
