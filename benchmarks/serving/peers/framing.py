"""The gateway's own framing of a PNG file, so that every peer does the same work on it."""

import numpy as np

from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.uploads import Upload, frame_uploads
from serving.gateway.settings import Settings

FORMAT = ImageFormat(height=28, width=28, framing="mnist")
LIMITS = Settings.from_environ({})


def pixels_of(file: bytes) -> np.ndarray:
    """Return a PNG file as uint8 `[28, 28]`, framed as MNIST is."""
    [[digit]] = frame_uploads([Upload("", file)], FORMAT, LIMITS)
    return np.frombuffer(digit.pixels, np.uint8).reshape(28, 28)
