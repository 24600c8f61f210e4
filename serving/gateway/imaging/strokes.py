"""Draw thin strokes with a pen that the training set's digits were drawn with too.

A large drawing in a thin pen fades when it is shrunk: a stroke narrower than a pixel of the frame becomes a faint one.
"""

import numpy as np

from serving.gateway.imaging.foreground import Floats

WIDTH = 2.0  # pixels of the frame: five of six of MNIST's digits have wider strokes
SQUARE = np.pi / 4  # a square's side over its width seen from all directions alike


def with_pen(digit: Floats, pixel: int) -> Floats:
    """Return `digit`, [h, w], with its strokes at least WIDTH wide, larger by what they grew, where they are thin.

    `pixel` is the side of a pixel of the frame in pixels of the digit.
    """
    grow = round((WIDTH * pixel - stroke_width(digit)) * SQUARE)
    return _grown(_grown(digit, grow).T, grow).T if grow > 0 else digit


def stroke_width(digit: Floats) -> float:
    """Return how wide the strokes of `digit`, [h, w], are in pixels, on average.

    A stroke of length L and width W has the area L · W and a contour of 2 · L, which is π/4 of the sum of all steps
    from pixel to pixel along rows and columns where strokes go in all directions alike.
    """
    padded = np.pad(digit, 1)
    steps = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    return float(2 * digit.sum() / (steps * SQUARE))


def _grown(digit: Floats, rows: int) -> Floats:
    """Return `digit` so many rows higher, each pixel the largest of those that lay at most so many rows above it."""
    height = len(digit)
    grown = np.zeros((height + rows, digit.shape[1]), digit.dtype)
    for down in range(rows + 1):
        part = grown[down : down + height]
        np.maximum(part, digit, out=part)
    return grown
