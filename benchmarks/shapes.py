"""Find a digit's shape on a finer grid, its thin lines, and its growth before one of its holes closes."""

import numpy as np
from PIL import Image
from scipy import ndimage

from benchmarks.camera import FINER, SIDE

NEIGHBOURS = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))  # clockwise from the one above


def shape_of(image: np.ndarray) -> np.ndarray:
    """Return the inked pixels of an image, uint8 `[28, 28]`, on the finer grid: bool `[112, 112]`."""
    finer = np.asarray(Image.fromarray(image).resize((SIDE * FINER, SIDE * FINER), Image.Resampling.BICUBIC))
    return finer > finer.max() / 2


def reach_that_keeps_holes(shape: np.ndarray, distance: np.ndarray, most: float, least: float) -> float:
    """Return the largest `distance`, `[h, w]`, to which ink may go while the shape, bool `[h, w]`, keeps its holes.

    That is `most`, or a tenth less as often as it has to be while it is above `least`.
    """
    while most > least and ndimage.label(distance >= most)[1] != ndimage.label(~shape)[1]:
        most *= 0.9
    return most


def skeleton(shape: np.ndarray) -> np.ndarray:
    """Return a shape, bool `[h, w]`, thinned to lines a pixel wide, bool `[h, w]`.

    By Zhang & Suen 1984, "A fast parallel algorithm for thinning digital patterns".
    """
    height, width = shape.shape
    padded = np.pad(shape, 1).astype(np.uint8)
    inside = padded[1:-1, 1:-1]
    while True:
        before = inside.sum()
        for table in REMOVED:
            around = sum(padded[y : y + height, x : x + width] << i for i, (y, x) in enumerate(NEIGHBOURS))
            inside[table[around] & (inside == 1)] = 0
        if inside.sum() == before:
            return inside.astype(bool)


def _removed() -> tuple[np.ndarray, np.ndarray]:
    """Return whether a pixel goes, for each of the 256 patterns around it, in the two passes of a round."""
    n = [(np.arange(256) >> i) & 1 for i in range(8)]
    edges = sum((n[i] == 0) & (n[(i + 1) % 8] == 1) for i in range(8))
    border = (sum(n) >= 2) & (sum(n) <= 6) & (edges == 1)
    first = border & (n[0] * n[2] * n[4] == 0) & (n[2] * n[4] * n[6] == 0)
    second = border & (n[0] * n[2] * n[6] == 0) & (n[0] * n[4] * n[6] == 0)
    return first, second


REMOVED = _removed()
