"""Widen thin strokes to the width of the training set's.

A large drawing in thin strokes fades when it shrinks: a stroke narrower than a pixel of the frame turns faint.
"""

import numpy as np

from serving.gateway.imaging.levels import Floats

WIDTH = 2.0  # pixels of the frame: five of six of MNIST's digits have wider strokes
SQUARE = np.pi / 4  # a square's side over its mean width in all directions


def with_pen(digit: Floats, pixel: int) -> Floats:
    """Return `digit`, [h, w], with strokes at least WIDTH wide; it is larger by the growth of its strokes.

    `pixel` is the side of a pixel of the frame in pixels of the digit.
    """
    grow = round((WIDTH * pixel - stroke_width(digit)) * SQUARE)
    return _grown(_grown(digit, grow).T, grow).T if grow > 0 else digit


def stroke_width(digit: Floats) -> float:
    """Return the mean width of the strokes of `digit`, [h, w], in pixels.

    A stroke of length L and width W has the area L · W and a contour of 2 · L. With strokes in all directions alike,
    the contour is π/4 of the sum of all steps from pixel to pixel along rows and columns.
    """
    padded = np.pad(digit, 1)
    steps = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    return float(2 * digit.sum() / (steps * SQUARE))


def _grown(digit: Floats, rows: int) -> Floats:
    """Return `digit` higher by `rows`, each pixel the maximum of itself and that many pixels above."""
    height = len(digit)
    grown = np.zeros((height + rows, digit.shape[1]), digit.dtype)
    for down in range(rows + 1):
        part = grown[down : down + height]
        np.maximum(part, digit, out=part)
    return grown
