"""Tell the ground under ink: its levels without what is as narrow as strokes."""

import mahotas
import numpy as np
from numpy.typing import NDArray

from serving.gateway.imaging.levels import Floats, quantile
from serving.gateway.imaging.masks import NEIGHBOURS, grown

Levels = NDArray[np.int16]

UNEVEN = 0.15  # of the light: darker ground is in a shadow
BETWEEN = 0.15  # of the image, at most, has a ground between that in the light and that in a shadow
STROKE = 0.14  # of the shorter side: narrower ink beside a shadow is none of it
RIM = 2  # pixels around a shadow in which it fades


def ground_of(blurred: NDArray[np.uint8], low: np.float32, widest: float, dark: bool) -> Floats:
    """Return the ground, [h, w], of levels `blurred` above `low`, of which ink has the higher ones.

    Areas wider than the share `widest` of the shorter side are ground; under `dark` ink, so are whole shadows.
    """
    levels = blurred.astype(np.int16)
    ground: Floats = _opened(levels, widest) + low
    return _with_whole_shadows(ground, levels, low) if dark else ground


def _with_whole_shadows(ground: Floats, levels: Levels, low: np.float32) -> Floats:
    """Return the ground with whole shadows, reconstructed from the parts that opening left.

    Their corners are as narrow as strokes. Strokes that touch a shadow are none of it, though they may be as dark.
    """
    if not _is_uneven(*_ends(ground)):
        return ground
    highest = _around(levels, 3, np.maximum) + low
    within = np.minimum(ground, highest)  # beyond the border, levels are extrapolated
    light, shadow = _ends(within)
    middle = (light + shadow) / 2
    if not _is_uneven(light, shadow) or np.mean(np.abs(within - middle) < (shadow - light) / 4) > BETWEEN:
        return ground  # even, or light on a slope
    shaded = within >= middle
    labels, count = mahotas.label(_opened(levels, STROKE) + low >= middle, NEIGHBOURS)
    whole = np.zeros(count + 1, bool)
    whole[labels[shaded]] = True
    whole[0] = False
    most = np.minimum(highest, quantile(within[shaded], 0.5))
    return np.where(grown(whole[labels] | shaded, RIM), np.maximum(within, most), within)


def _ends(ground: Floats) -> tuple[float, float]:
    """Return the level of a ground in the light, but for a few pixels, and its darkest."""
    return quantile(ground.ravel(), 0.02), float(ground.max())


def _is_uneven(light: float, darkest: float) -> bool:
    """Return whether a ground between these levels, negative ones, may have a shadow."""
    return darkest - light > UNEVEN * -light


def _opened(levels: Levels, widest: float) -> Levels:
    """Return levels without what is lighter than its surroundings, and narrower than a share of the shorter side.

    That is their grey opening. It reaches a pixel beyond a step in the levels, which blurring moved by that much.
    """
    size = max(3, round(widest * min(levels.shape)))
    return _around(_around(levels, size, np.minimum), size + 2, np.maximum)


def _around(levels: Levels, size: int, extreme: np.ufunc) -> Levels:
    """Return the extreme of the square of `size` around each pixel."""
    return _running(_running(levels, size, extreme).T, size, extreme).T


def _running(levels: Levels, size: int, extreme: np.ufunc) -> Levels:
    """Return the extreme of the `size` pixels around each, along rows; doubling the reach at each step."""
    reached = _extrapolated(levels, size // 2, size - 1 - size // 2)
    reach = 1
    while reach < size:
        step = min(reach, size - reach)
        reached = extreme(reached[:, :-step], reached[:, step:])
        reach += step
    return reached


def _extrapolated(levels: Levels, before: int, after: int) -> Levels:
    """Return levels with so many pixels more in each row, mirrored in its ends.

    That is np.pad's odd reflection in half the time, but for rows too short to be mirrored once.
    """
    if max(before, after) >= levels.shape[1]:
        return np.pad(levels, ((0, 0), (before, after)), "reflect", reflect_type="odd")
    first, last = levels[:, :1], levels[:, -1:]
    return np.hstack([2 * first - levels[:, before:0:-1], levels, 2 * last - levels[:, -2 : -2 - after : -1]])
