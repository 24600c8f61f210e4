"""Draw digits by strokes of their own, as hands write that MNIST has few of, then photograph them.

Among them are the 1 with a flag and no foot, the crossed 7, the open 4 and the closed 9, and the plain digits that
these resemble. No image of MNIST's is in them, and no code of the champion's training (training/champion/hands.py).
"""

import zlib
from collections.abc import Callable, Mapping
from itertools import repeat
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from benchmarks.camera import FINER, SIDE, SIZE, photographed
from benchmarks.processes import spread

HEIGHT = 20  # pixels of the original: a digit's, from the top of its lines to their bottom
PEN = (0.6, 1.8)  # half the stroke's width, in the same pixels
SLANT, TURN, STRETCH = 0.35, np.deg2rad(8), 0.12
UNEVEN = 0.012  # of the height: deviation of each point that a stroke goes through
FLAG = (0.06, 0.25)  # of the width of an image, 28 pixels: how far a flag goes to the left
DROP = (0.6, 1.5)  # how far a flag goes down, as a multiple of that
ARC = 24  # lines that a bow is made of

Line = list[tuple[float, float]]  # points of a stroke: from the middle and from the top, in heights of the digit
Draw = Callable[[np.random.Generator], list[Line]]


class Hand(NamedTuple):
    """A way of writing one digit: the digit, and the function that draws its strokes."""

    digit: int
    draw: Draw


def drawn(hand: Hand, count: int, seed: int) -> np.ndarray:
    """Return so many digits of a hand, each drawn another way and framed by the gateway, uint8 `[count, 28, 28]`."""
    return np.stack(spread(_draw_and_frame, repeat(hand, count), repeat(seed), range(count), chunk=50))


def _draw_and_frame(hand: Hand, seed: int, place: int) -> np.ndarray:
    rng = np.random.default_rng([seed, place, zlib.crc32(hand.draw.__name__.encode())])
    return photographed(inked(hand.draw(rng), rng), _form(rng), rng)


def inked(lines: list[Line], rng: np.random.Generator) -> np.ndarray:
    """Return the ink, 0…1, `[112, 112]`, of a round pen that follows lines with an unsteady hand."""
    axis = (np.arange(SIDE * FINER) + 0.5 - SIDE * FINER / 2) / (HEIGHT * FINER)
    x, y = np.meshgrid(axis, axis + 0.5)
    distance = np.full(x.shape, np.inf)
    for line in lines:
        points = np.array(line) + (rng.normal(0, UNEVEN, (len(line), 2)) if len(line) < ARC else 0)
        for (ax, ay), (bx, by) in zip(points[:-1], points[1:], strict=True):
            length = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-9)
            along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1)
            np.minimum(distance, np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay)), out=distance)
    return np.clip(rng.uniform(*PEN) * FINER + 0.5 - distance * HEIGHT * FINER, 0, 1)


def _form(rng: np.random.Generator) -> np.ndarray:
    """Return the matrix that turns, slants, stretches and scales a drawing, `[2, 2]`."""
    turn, slant = rng.uniform(-TURN, TURN), rng.uniform(-SLANT, SLANT)
    stretch = np.diag(np.exp(rng.uniform(-STRETCH, STRETCH, 2)))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return rotation @ np.array([[1, slant], [0, 1]]) @ stretch * rng.uniform(*SIZE)


def _bow(x: float, y: float, across: float, down: float, start: float, stop: float) -> Line:
    """Return a part of an ellipse, from one angle to another, clockwise from the right in degrees."""
    angles = np.deg2rad(np.linspace(start, stop, ARC))
    return list(zip(x + across * np.cos(angles), y + down * np.sin(angles), strict=True))


def one(rng: np.random.Generator) -> list[Line]:
    """Draw a 1 that is a line."""
    return [[(0, 0), (0, 1)]]


def flagged_one(rng: np.random.Generator) -> list[Line]:
    """Draw a 1 with a flag and no foot, as in much of Europe."""
    across = rng.uniform(*FLAG) * SIDE / HEIGHT
    return [[(-across, across * rng.uniform(*DROP)), (0, 0), (0, 1)]]


def footed_one(rng: np.random.Generator) -> list[Line]:
    """Draw a 1 with a flag and a foot."""
    foot = rng.uniform(0.12, 0.3)
    return [*flagged_one(rng), [(-foot, 1), (foot, 1)]]


def seven(rng: np.random.Generator) -> list[Line]:
    """Draw a 7 without a bar through its stem."""
    return [_seven(rng)]


def crossed_seven(rng: np.random.Generator) -> list[Line]:
    """Draw a 7 with a bar through its stem."""
    line = _seven(rng)
    (right, top), (foot, bottom) = line[-2:]
    at, half, rise = rng.uniform(0.4, 0.6), rng.uniform(0.12, 0.25), rng.uniform(-0.06, 0.06)
    x, y = right + at * (foot - right), top + at * (bottom - top)
    return [line, [(x - half, y + rise), (x + half, y - rise)]]


def _seven(rng: np.random.Generator) -> Line:
    wide = rng.uniform(0.22, 0.32)
    return [(-wide, rng.uniform(-0.04, 0.08)), (wide, 0), (rng.uniform(-0.2, 0.1), 1)]


def open_four(rng: np.random.Generator) -> list[Line]:
    """Draw a 4 whose two uprights do not meet."""
    left, bar, stem = rng.uniform(-0.34, -0.22), rng.uniform(0.5, 0.65), rng.uniform(0.05, 0.16)
    corner = (left + rng.uniform(-0.06, 0.02), bar)
    return [[(left, 0), corner, (rng.uniform(0.25, 0.36), bar)], [(stem, rng.uniform(0, 0.2)), (stem, 1)]]


def closed_four(rng: np.random.Generator) -> list[Line]:
    """Draw a 4 whose strokes meet at the top, as in print."""
    stem, bar = rng.uniform(0.05, 0.16), rng.uniform(0.6, 0.72)
    return [[(stem, 1), (stem, 0), (rng.uniform(-0.36, -0.24), bar), (rng.uniform(0.25, 0.36), bar)]]


def closed_nine(rng: np.random.Generator) -> list[Line]:
    """Draw a 9 with a closed loop and a straight leg."""
    across, down = rng.uniform(0.17, 0.27), rng.uniform(0.2, 0.28)
    return [_bow(0, down, across, down, 0, 360), [(across, down), (rng.uniform(0.0, across), 1)]]


def bowed_nine(rng: np.random.Generator) -> list[Line]:
    """Draw a 9 with a closed loop and a leg that bends to the left."""
    across, down, end = rng.uniform(0.17, 0.27), rng.uniform(0.2, 0.28), rng.uniform(60, 120)
    leg = 1 - down
    return [_bow(0, down, across, down, 0, 360), _bow(0, down, across, leg, 0, end)]


HANDS: Mapping[str, Hand] = MappingProxyType(
    {
        "1, a line": Hand(1, one),
        "1 with a flag": Hand(1, flagged_one),
        "1 with a flag and a foot": Hand(1, footed_one),
        "7": Hand(7, seven),
        "7, crossed": Hand(7, crossed_seven),
        "4, open": Hand(4, open_four),
        "4, closed": Hand(4, closed_four),
        "9, closed, straight leg": Hand(9, closed_nine),
        "9, closed, bent leg": Hand(9, bowed_nine),
    }
)
