"""Cut the page's example digits out of MNIST's test images: `python -m tests.browser.examples`."""

import numpy as np
from PIL import Image

from testing.machine import ROOT
from training.readers import read_idx

SPRITE = ROOT / "serving" / "gateway" / "static" / "page" / "examples.png"
# Test images by digit: those that come first, and such as trained variants disagreed on.
EASY = (3, 2, 1, 18, 4, 8, 11, 0, 61, 7)
HARD = (717, 3906, 1609, 3549, 1549, 3157, 2995, 1039, 495, 1952)


def sprite(images: np.ndarray) -> Image.Image:
    """Lay the chosen of `images`, uint8 `[n, 28, 28]`, side by side: a row a list, a column a digit."""
    return Image.fromarray(np.vstack([np.hstack(list(images[list(row)])) for row in (EASY, HARD)]))


def images_of_mnist() -> np.ndarray:
    """Return MNIST's test images from data/, uint8 `[10000, 28, 28]`."""
    return read_idx(ROOT / "data" / "t10k-images-idx3-ubyte", 3)


if __name__ == "__main__":
    sprite(images_of_mnist()).save(SPRITE, optimize=True)
