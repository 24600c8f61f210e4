"""Draw digits again as people do: another pen, slant, size and place, dark on light, uneven light, JPEG.

A pen of any width draws a digit's skeleton, on a larger sheet that is photographed. The champion's training follows
the lines of strokes too (training/champion/lines.py), but finds and inks them in another way: no code is shared.
"""

from itertools import repeat

import numpy as np
from scipy import ndimage

from benchmarks.camera import FINER, SIZE, photographed
from benchmarks.processes import spread
from benchmarks.shapes import reach_that_keeps_holes, shape_of, skeleton

PEN = (0.35, 2.1)  # half the stroke's width, in pixels of the original
SLANT, TURN, STRETCH = 0.35, np.deg2rad(15), 0.15


def redrawn(images: np.ndarray, seed: int) -> np.ndarray:
    """Return each image, uint8 `[n, 28, 28]`, drawn again and framed by the gateway, uint8 `[n, 28, 28]`."""
    return np.stack(spread(_redraw_and_frame, images, repeat(seed), range(len(images)), chunk=100))


def _redraw_and_frame(image: np.ndarray, seed: int, place: int) -> np.ndarray:
    rng = np.random.default_rng([seed, place])
    ink = _pen_stroke(image, rng)
    return photographed(ink, _form(rng), rng)


def _pen_stroke(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the ink, 0…1, `[112, 112]`, of a pen that follows the digit's skeleton.

    The pen is thin enough for a digit to keep its holes.
    """
    shape = shape_of(image)
    distance = ndimage.distance_transform_edt(~skeleton(shape))
    pen = reach_that_keeps_holes(shape, distance, rng.uniform(*PEN) * FINER, PEN[0] * FINER)
    return np.clip(pen + 0.5 - distance, 0, 1)


def _form(rng: np.random.Generator) -> np.ndarray:
    """Return the matrix that turns, slants, stretches and scales a drawing, `[2, 2]`."""
    scale = rng.uniform(*SIZE)
    turn, slant = rng.uniform(-TURN, TURN), rng.uniform(-SLANT, SLANT)
    stretch = np.diag(np.exp(rng.uniform(-STRETCH, STRETCH, 2)))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return rotation @ np.array([[1, slant], [0, 1]]) @ stretch * scale
