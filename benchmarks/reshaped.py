"""Make digits' strokes thinner or fatter by moving their outline, or slant them, then photograph them.

A second opinion beside benchmarks/redrawn.py: the strokes keep the shape that their writer gave them. It shares nothing
with the distortions that the champion is trained on.
"""

from collections.abc import Mapping
from itertools import repeat
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt as edt

from benchmarks.camera import FINER, SIZE, photographed
from benchmarks.processes import spread
from benchmarks.shapes import reach_that_keeps_holes, shape_of, skeleton

LINE = 0.35  # pixels of the original: half the width of the thinnest stroke
LEAST = 0.1  # pixels of the drawing: a smaller move outwards closes no hole


class Hand(NamedTuple):
    """A handwriting: the pixels of the original by which outlines move, and the tangent of the largest slant."""

    outline: tuple[float, float] = (0.0, 0.0)
    slant: float = 0.0


HANDS: Mapping[str, Hand] = MappingProxyType(
    {"as they are": Hand(), "slanted": Hand(slant=0.5), "fatter": Hand((0.0, 1.2)), "thinner": Hand((-1.0, 0.0))}
)


def reshaped(images: np.ndarray, hand: Hand, seed: int) -> np.ndarray:
    """Return each image, uint8 `[n, 28, 28]`, as that hand writes it and the gateway frames it, uint8 `[n, 28, 28]`."""
    seeds = ([seed, i] for i in range(len(images)))
    return np.stack(spread(_reshape_and_frame, images, repeat(hand), seeds, chunk=100))


def _reshape_and_frame(image: np.ndarray, hand: Hand, seed: list[int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ink = with_outline_moved(image, rng.uniform(*hand.outline))
    slant, size = rng.uniform(-hand.slant, hand.slant), rng.uniform(*SIZE)
    return photographed(ink, np.array([[1, slant], [0, 1]]) * size, rng)


def with_outline_moved(image: np.ndarray, outwards: float) -> np.ndarray:
    """Return the ink, 0…1, `[112, 112]`, of a digit whose outline moves outwards by some pixels.

    Outwards it moves as far as the digit keeps its holes, inwards as far as a line along its skeleton stays: nobody
    would draw it otherwise.
    """
    shape = shape_of(image)
    distance = np.where(shape, 0.5 - edt(shape), edt(~shape) - 0.5)  # of a pixel's middle from the outline
    move = reach_that_keeps_holes(shape, distance, outwards * FINER, LEAST)
    line = LINE * FINER - edt(~skeleton(shape))
    return np.clip(np.maximum(move - distance, line) + 0.5, 0, 1)
