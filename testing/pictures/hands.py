"""Draw digits from strokes, each digit in several hands."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

Points = tuple[tuple[float, float], ...]
FINER = 3  # pixels of a drawing for each of its result
STEPS = 12  # straight pieces between two points of a curve


class Stroke(NamedTuple):
    """A stroke through points of the unit square, y downwards; straight from point to point, or curved."""

    points: Points
    curved: bool = False


def line(*points: tuple[float, float]) -> Stroke:
    """Return a stroke of straight pieces."""
    return Stroke(points)


def curve(*points: tuple[float, float]) -> Stroke:
    """Return a stroke that curves through all points."""
    return Stroke(points, curved=True)


def _oval(x: float, y: float, rx: float, ry: float, start: float = -90, turn: float = 370) -> Stroke:
    angles = np.deg2rad(np.linspace(start, start + turn, 17))
    return curve(*((x + rx * float(np.cos(a)), y + ry * float(np.sin(a))) for a in angles))


HANDS: dict[int, tuple[tuple[Stroke, ...], ...]] = {
    0: ((_oval(0.5, 0.5, 0.34, 0.5),), (_oval(0.5, 0.5, 0.42, 0.5, -60),)),
    1: ((line((0.5, 0), (0.5, 1)),), (line((0.58, 0), (0.42, 1)),)),
    2: (
        (
            curve((0.12, 0.25), (0.3, 0.04), (0.6, 0.02), (0.82, 0.22), (0.68, 0.52), (0.1, 1)),
            line((0.1, 1), (0.92, 1)),
        ),
        (
            curve((0.15, 0.2), (0.42, 0), (0.78, 0.14), (0.72, 0.45), (0.4, 0.75), (0.12, 0.98)),
            curve((0.12, 0.98), (0.5, 0.92), (0.9, 0.97)),
        ),
    ),
    3: (
        (
            curve((0.15, 0.1), (0.45, 0), (0.78, 0.14), (0.68, 0.4), (0.38, 0.47)),
            curve((0.38, 0.47), (0.75, 0.54), (0.85, 0.78), (0.5, 1), (0.1, 0.9)),
        ),
        (
            curve((0.2, 0.05), (0.6, 0.02), (0.8, 0.22), (0.42, 0.46)),
            curve((0.42, 0.46), (0.82, 0.6), (0.76, 0.9), (0.4, 1), (0.15, 0.93)),
        ),
    ),
    4: (
        (line((0.22, 0), (0.12, 0.56), (0.9, 0.56)), line((0.72, 0.08), (0.66, 1))),
        (line((0.15, 0.02), (0.12, 0.5), (0.85, 0.5)), line((0.78, 0), (0.78, 1))),
    ),
    5: (
        (
            line((0.28, 0), (0.2, 0.42)),
            curve((0.2, 0.42), (0.5, 0.36), (0.8, 0.56), (0.76, 0.86), (0.42, 1), (0.1, 0.9)),
            line((0.28, 0), (0.86, 0)),
        ),
        (
            line((0.25, 0.03), (0.25, 0.44)),
            curve((0.25, 0.44), (0.62, 0.42), (0.82, 0.68), (0.6, 0.96), (0.15, 0.98)),
            line((0.25, 0.03), (0.82, 0)),
        ),
    ),
    6: (
        (curve((0.68, 0), (0.3, 0.3), (0.2, 0.7), (0.34, 0.96), (0.64, 0.98), (0.8, 0.7), (0.6, 0.5), (0.2, 0.7)),),
        (curve((0.55, 0), (0.25, 0.4), (0.2, 0.8), (0.5, 1), (0.8, 0.82), (0.68, 0.58), (0.4, 0.58), (0.2, 0.78)),),
    ),
    7: (
        (line((0.1, 0.02), (0.9, 0.02), (0.42, 1)),),
        (line((0.12, 0.06), (0.88, 0)), curve((0.88, 0), (0.62, 0.45), (0.5, 1))),
    ),
    8: (
        (_oval(0.5, 0.25, 0.27, 0.25, 90, 360), _oval(0.5, 0.75, 0.33, 0.25, -90, 360)),
        (
            curve(
                (0.75, 0.16), (0.5, 0), (0.22, 0.16), (0.42, 0.43), (0.74, 0.68), (0.7, 0.93), (0.42, 1), (0.2, 0.82),
                (0.36, 0.58), (0.66, 0.38), (0.75, 0.16),
            ),
        ),
    ),
    9: (
        (_oval(0.5, 0.27, 0.3, 0.27, 0, -360), line((0.8, 0.25), (0.66, 1))),
        (_oval(0.48, 0.25, 0.3, 0.25, 20, -375), curve((0.78, 0.2), (0.76, 0.6), (0.6, 1))),
    ),
}  # fmt: skip


def written(
    digit: int, rng: np.random.Generator, height: float, pen: float | None = None, hand: int | None = None
) -> np.ndarray:
    """Return the coverage, 0…1, `[h, w]`, of a digit so many pixels high, with two pixels around it.

    `pen` is the stroke's width over the height.
    """
    strokes = HANDS[digit][int(rng.integers(len(HANDS[digit]))) if hand is None else hand]
    width = float(rng.uniform(0.075, 0.14)) if pen is None else pen
    form = np.array([[rng.uniform(0.6, 0.72), rng.uniform(-0.15, 0.05)], [0, 1]]) * height
    lines = [_points(stroke, rng) @ form.T for stroke in strokes]
    return drawn(lines, max(width * height, 1.0))


def drawn(lines: list[np.ndarray], pen: float) -> np.ndarray:
    """Return the coverage, 0…1, of lines, each `[n, 2]` of x and y in pixels, in a round pen of that width."""
    radius = pen / 2 * FINER
    everything = np.concatenate(lines)
    low = everything.min(axis=0) - pen / 2 - 2
    size = np.ceil(everything.max(axis=0) + pen / 2 + 2 - low).astype(int)
    image = Image.new("L", (int(size[0]) * FINER, int(size[1]) * FINER))
    draw = ImageDraw.Draw(image)
    for points in lines:
        places = (points - low) * FINER
        draw.line([(float(x), float(y)) for x, y in places], 255, max(1, round(2 * radius)))
        for x, y in places:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    return np.asarray(image.reduce(FINER), np.float32) / 255


def _points(stroke: Stroke, rng: np.random.Generator) -> np.ndarray:
    points = np.array(stroke.points)
    points[1:-1] += rng.normal(0, 0.012, points[1:-1].shape)
    return _through(points) if stroke.curved else points


def _through(points: np.ndarray) -> np.ndarray:
    """Return points on the curve through all of `points`: the spline of Catmull and Rom (1974)."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, STEPS, endpoint=False)[:, np.newaxis]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate([*pieces, points[-1:]])
