"""Masks of pixels: what they cover, and their neighbours."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

NEIGHBOURS = np.ones((3, 3), bool)  # of a pixel, diagonal ones too


def extent(mask: NDArray) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the first row and the one past the last, and so the columns, of what is not 0 in a mask or in bytes."""
    (top, bottom), (left, right) = _ends(mask.tobytes(), mask.shape[1]), _ends(mask.T.tobytes(), mask.shape[0])
    return ((top, bottom), (left, right)) if bottom else None


def _ends(pixels: bytes, width: int) -> tuple[int, int]:
    """Return the first row and the one past the last with a pixel; faster than reductions by NumPy for small ones."""
    return (len(pixels) - len(pixels.lstrip(b"\0"))) // width, -(-len(pixels.rstrip(b"\0")) // width)


def grown(mask: Mask, reach: int = 1) -> Mask:
    """Return `mask` with every pixel at most `reach` away, diagonally too."""
    height, width = mask.shape
    padded = np.zeros((height + 2 * reach, width + 2 * reach), bool)
    padded[reach : reach + height, reach : reach + width] = mask
    rows = padded[:height]
    for step in range(1, 2 * reach + 1):
        rows = rows | padded[step : step + height]
    found = rows[:, :width]
    for step in range(1, 2 * reach + 1):
        found = found | rows[:, step : step + width]
    return found
