"""Find the middle lines of a digit's strokes, which a pen can follow, and each pixel's nearness to them."""

import numpy as np

from training.data import SIDE

REACH = 3.0  # pixels from a line at which nearness ends
FINER = 2 * SIDE  # a side of the grid on which strokes are thinned
STEPS = int(2 * REACH)  # of that grid, from a pixel's middle to REACH
FAR = 150  # squared steps: beyond REACH, and a byte holds its sum with another distance
NEARNESS = np.rint(255 * np.maximum(1 - np.sqrt(np.arange(256) + 0.5) / 2 / REACH, 0)).astype(np.uint8)


def nearness(images: np.ndarray) -> np.ndarray:
    """Return each pixel's nearness to a line, for digits uint8 `[n, 28, 28]`: 255 on it, 0 from REACH on, uint8."""
    finer = _finer(images)
    lines = thinned(finer > finer.max(axis=(1, 2), keepdims=True) / 2)
    # Squares of distances along rows, then along columns, less the 1/4 that each has: a pixel's middle is half-way
    # between two of the grid.
    squares = _nearest(np.where(lines, 0, FAR).astype(np.uint8))
    return NEARNESS[_nearest(squares.transpose(0, 2, 1)).transpose(0, 2, 1)]


def thinned(shapes: np.ndarray) -> np.ndarray:
    """Return shapes, bool `[n, h, w]` of w up to 62, thinned to lines a pixel wide.

    By Guo & Hall 1989, "Parallel thinning with two-subiteration algorithms", A1, on rows as words of 64 bits.
    """
    rows = _packed(shapes)
    while True:
        before = rows.copy()
        for first in (True, False):
            rows[:, 1:-1] &= ~_border(rows, first)
        if (rows == before).all():
            return _unpacked(rows, shapes.shape[2])


def _border(rows: np.ndarray, first: bool) -> np.ndarray:
    """Return the pixels that one pass removes, in words `[n, h]`; `rows`, `[n, h + 2]`, has empty ones around."""
    above, middle, below = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
    one = np.uint64(1)
    # Clockwise from the one above.
    n, s, e, w = above, below, middle << one, middle >> one
    ne, nw, se, sw = above << one, above >> one, below << one, below >> one
    a, b, c, d = ~n & (ne | e), ~e & (se | s), ~s & (sw | w), ~w & (nw | n)
    joins_one = ((a ^ b) & ~(c | d)) | ((c ^ d) & ~(a | b))
    pairs, others = (nw | n, ne | e, se | s, sw | w), (n | ne, e | se, s | sw, w | nw)
    no_end = _two_of(*pairs) & _two_of(*others)
    inside = _all_of(*pairs) & _all_of(*others)
    kept = (n | ne | ~se) & e if first else (s | sw | ~nw) & w
    return joins_one & no_end & ~inside & ~kept


def _two_of(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    return (a & b) | (c & d) | ((a | b) & (c | d))


def _all_of(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    return a & b & c & d


def _packed(shapes: np.ndarray) -> np.ndarray:
    """Return rows as words, uint64 `[n, h + 2]`, with an empty row above and below."""
    count, height, width = shapes.shape
    bits = np.zeros((count, height + 2, 64), bool)
    bits[:, 1:-1, 1 : width + 1] = shapes
    return np.packbits(bits, axis=2).view(">u8")[..., 0].astype(np.uint64)


def _unpacked(rows: np.ndarray, width: int) -> np.ndarray:
    octets = rows[:, 1:-1, np.newaxis].astype(">u8").view(np.uint8)
    return np.unpackbits(octets, axis=2)[:, :, 1 : width + 1].astype(bool)


def _finer(images: np.ndarray) -> np.ndarray:
    """Return images twice as large, bilinear, in sixteenths of their grey levels, int16 `[n, 56, 56]`."""
    for axis in (1, 2):
        images = _twice(images.astype(np.int16).swapaxes(1, axis)).swapaxes(1, axis)
    return images


def _twice(images: np.ndarray) -> np.ndarray:
    """Return images with twice as many rows, times four."""
    padded = np.pad(images, [(0, 0), (1, 1), (0, 0)])
    middle = 3 * images
    return np.stack([middle + padded[:, :-2], middle + padded[:, 2:]], axis=2).reshape(len(images), FINER, -1)


def _nearest(squares: np.ndarray) -> np.ndarray:
    """Return the least sum, uint8 `[n, 28, w]`, of the squares `[n, 56, w]` in a column and of the steps to them."""
    padded = np.pad(squares, [(0, 0), (STEPS - 1, STEPS - 1), (0, 0)], constant_values=FAR)
    least = np.full((len(squares), SIDE, squares.shape[2]), FAR, np.uint8)
    for step in range(STEPS):  # step + 1/2, of which the square is step² + step + 1/4
        for start in (STEPS - 1 - step, STEPS + step):
            np.minimum(least, padded[:, start : start + FINER - 1 : 2] + np.uint8(step * (step + 1)), out=least)
    return least
