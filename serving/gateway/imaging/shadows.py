"""Light a picture evenly where the straight edge of a shadow crosses it: one side has a share of the other's light."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from serving.gateway.imaging.foreground import UNEVEN_SIDE
from serving.gateway.imaging.levels import Floats, border, quantile

UNEVEN, DEEPEST = 0.08, 1.4  # between the light and a shadow, in logarithms of levels: less is even, more no shadow
TOO_LIGHT, MOST_TOO_LIGHT = 290, 0.005  # grey levels that no paper has, and the share of pixels that may have them
COARSE_SIDE = 64  # pixels, at most, in which the line is looked for first
ANGLES, FINE_ANGLES = 48, 11  # directions that are tried, and then between two of them, twice
MOST = 0.08  # of a logarithm a pixel: steeper slopes count as that
SHORTEST = 0.3  # of the shorter side: an edge's length
NEAR = 3  # coarse pixels from the line, in which it is looked for more finely
REACH, FAR = 8, 4  # pixels on both sides of the line that tell its light, which changes nearer than FAR
SEAM = 1.5  # pixels on both sides of the line that are made up
LEAST_BORDER = 0.03  # of the border, on either side of the line
ALIKE = 0.3  # of the step: so far may a side's ground be from the light beside the edge
PIECES, LIKE_THE_REST = 24, 0.5  # of the edge, and the share of them that have the step; ink may lie on others
MOST_LIT = 0.1  # of a shadow's edge, and of the border in it, may be as light as outside; more, and it ends there


class Line(NamedTuple):
    """The points where x cos + y sin = offset, in pixels."""

    angle: float
    offset: float

    def distances(self, y: NDArray, x: NDArray) -> Floats:
        """Return how far pixels are from the line: negative on one side."""
        across = x.astype(np.float32) * np.float32(np.cos(self.angle))
        found: Floats = across + y.astype(np.float32) * np.float32(np.sin(self.angle)) - np.float32(self.offset)
        return found


def evenly_lit(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return levels, [h, w, channels], as if no shadow with a straight edge lay on a part of the picture.

    Other pictures are returned as they are.
    """
    if min(image.shape[:2]) < UNEVEN_SIDE:
        return image
    around = border(image).mean(axis=1)
    if quantile(around, 0.9) + 1 < (1 + UNEVEN) * (quantile(around, 0.1) + 1):
        return image
    logs = np.log(image.mean(axis=2, dtype=np.float32) + 1)
    line = _edge(logs)
    if line is None:
        return image
    y, x = np.ogrid[: logs.shape[0], : logs.shape[1]]
    distances = line.distances(y, x)
    light = _light(logs, distances, Line(line.angle + np.pi / 2, 0).distances(y, x))
    if light is None:
        return image
    shade = np.exp(np.interp(distances, np.arange(-FAR, FAR + 1), light - light.max()))
    lit = (image + np.float32(1)) / shade[:, :, np.newaxis].astype(np.float32) - 1
    if np.mean(lit[np.abs(distances) > FAR] > TOO_LIGHT) > MOST_TOO_LIGHT:
        return image
    edge = float(np.abs(np.diff(light)).argmax()) + 0.5 - FAR
    return _without_seam(np.minimum(lit, 255), distances - edge, line.angle).astype(np.uint8)


def _without_seam(lit: Floats, distances: Floats, angle: float) -> Floats:
    """Return levels that go on evenly across the line, of which a trace is left where it is not quite straight."""
    y, x = np.nonzero(np.abs(distances) <= SEAM)
    across = distances[y, x]
    beside = []
    for side in (-SEAM - 1, SEAM + 1):
        rows = np.rint(y + np.sin(angle) * (side - across)).astype(np.intp)
        columns = np.rint(x + np.cos(angle) * (side - across)).astype(np.intp)
        beside.append(lit[rows.clip(0, lit.shape[0] - 1), columns.clip(0, lit.shape[1] - 1)])
    lit[y, x] = (beside[0] + beside[1]) / 2
    return lit


def _edge(logs: Floats) -> Line | None:
    """Return the line across which the levels change most in all, None where that is little."""
    step = -(-max(logs.shape) // COARSE_SIDE)
    height, width = (side // step * step for side in logs.shape)
    coarse = logs[:height, :width].reshape(height // step, step, width // step, step).mean(axis=(1, 3))
    y, x = np.indices(coarse.shape).reshape(2, -1)
    down, across = np.gradient(coarse)
    between = np.pi / ANGLES
    offsets, changes = _steepest(down.ravel(), across.ravel(), y, x, np.arange(ANGLES) * between)
    best = int(changes.argmax())
    if changes[best] < MOST / 2 * SHORTEST * min(coarse.shape):
        return None
    angle = best * between
    line = Line(angle, float(offsets[best]) * step + (step - 1) / 2 * (np.cos(angle) + np.sin(angle)))
    y, x = np.nonzero(np.abs(line.distances(*np.ogrid[: logs.shape[0], : logs.shape[1]])) <= NEAR * step + 1)
    slopes = np.gradient(logs)
    for reach in (between, 2 * between / FINE_ANGLES):
        angles = line.angle + np.linspace(-reach, reach, FINE_ANGLES)
        offsets, changes = _steepest(slopes[0][y, x], slopes[1][y, x], y, x, angles)
        line = Line(float(angles[changes.argmax()]), float(offsets[changes.argmax()]))
    return line


def _steepest(down: Floats, across: Floats, y: NDArray, x: NDArray, angles: NDArray) -> tuple[NDArray, NDArray]:
    """Return, for each angle, the offset of the line with the largest sum of the slopes across it, and that sum.

    The slopes are those at the pixels `y` and `x`, [n]. Steeper ones than MOST count as that: a long edge of a faint
    shadow tells more than a short one of ink.
    """
    cos, sin = (each.astype(np.float32)[:, np.newaxis] for each in (np.cos(angles), np.sin(angles)))
    slopes = np.clip(cos * across + sin * down, -MOST, MOST)
    places = np.rint(cos * x + sin * y).astype(np.intp)
    first = int(places.min())
    size = int(places.max()) - first + 1
    bins = places - first + size * np.arange(len(angles))[:, np.newaxis]
    changes = np.abs(np.bincount(bins.ravel(), slopes.ravel(), size * len(angles))).reshape(-1, size)
    return changes.argmax(axis=1) + first, changes.max(axis=1)


def _light(logs: Floats, distances: Floats, along: Floats) -> Floats | None:
    """Return the light at whole distances from a line, up to FAR, as a logarithm, None where it is no edge of a shadow.

    The picture's border, which mostly shows ground, has to be lit like the line on either side.
    """
    whole = np.rint(distances).astype(np.intp)
    near = np.abs(whole) <= REACH
    levels, places, along = logs[near], whole[near], along[near]
    sides = places <= -FAR, places >= FAR
    ends = [quantile(levels[side], 0.5) for side in sides]
    step, dark, lit = ends[1] - ends[0], min(ends), max(ends)
    if not UNEVEN <= abs(step) <= DEEPEST:
        return None
    edge, in_shadow = border(logs), border(whole < 0 if step > 0 else whole > 0)
    if (
        not LEAST_BORDER < np.mean(in_shadow) < 1 - LEAST_BORDER
        or np.mean(edge[in_shadow] > (dark + lit) / 2) > MOST_LIT
    ):
        return None
    if max(abs(quantile(edge[in_shadow], 0.5) - dark), abs(quantile(edge[~in_shadow], 0.5) - lit)) > ALIKE * abs(step):
        return None
    first, last = along.min(), along.max()
    pieces = np.minimum((along - first) / (last - first + 1) * PIECES, PIECES - 1).astype(np.intp)
    before, behind = (
        np.array([quantile(levels[side & (pieces == piece)], 0.5) for piece in range(PIECES)]) for side in sides
    )
    alike = np.abs(behind - before - step) <= ALIKE * abs(step)
    if np.mean(alike) < LIKE_THE_REST or np.mean(np.minimum(before, behind) > (dark + lit) / 2) > MOST_LIT:
        return None
    inner = [quantile(levels[places == at], 0.5) for at in range(1 - FAR, FAR)]
    return np.array([ends[0], *inner, ends[1]], np.float32)
