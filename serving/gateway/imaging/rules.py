"""Take printed lines out of ink: rules and squares from border to border, and frames."""

import mahotas
import numpy as np
from numpy.typing import NDArray

from serving.gateway.imaging.levels import Floats
from serving.gateway.imaging.masks import NEIGHBOURS, Mask, grown

SPAN = 0.95  # of a side: a rule goes so far
STRAIGHT = 0.3  # of a side: a rule has straight pieces so long, for which two pixels more or less do not matter
SLACK = 2
TIGHT_RUNS, TIGHT_SHARE = 2, 0.7  # most marks at each side, and share of the border, of a digit cut out closely
PEN = 0.6  # of the strongest ink: fainter rules leave a pen's strokes behind
CLEARLY = 0.6  # of the strongest ink: rules that are fainter go by their strength alone
ABOVE = 1.15  # times the strength of such rules: ink of the pen
LEFT = 0.02  # of the ink at least is left when rules are gone, if they were rules
ALONG_ROWS = np.ones((1, 3), bool)


def without_rules(ink: Floats, strong: Mask) -> Mask:
    """Return the mask of strong ink, [h, w], without lines that run from border to border."""
    if _cut_out(strong):
        return strong
    left = _without_faint(ink, strong, CLEARLY)
    if left is strong:
        left = _without_faint(ink, _without_thin(strong), 1)
    return left if left.sum() > LEFT * strong.sum() else strong


def _without_faint(ink: Floats, strong: Mask, most: float) -> Mask:
    """Leave out what goes from border to border, far from the pen's strokes, in at most a share of their strength."""
    peak = ink.max()
    faint = strong & ~grown(ink > PEN * peak, 2)
    if not (_spans(faint) or _spans(faint.T)):
        return strong
    least = ABOVE * np.quantile(ink[faint], 0.95)
    return strong & (ink > least) if least <= most * peak else strong


def _spans(mask: Mask) -> bool:
    """Return whether a third of the rows, from the first to the last, have pixels of `mask`."""
    rows = np.flatnonzero(mask.any(axis=1))
    return len(rows) > len(mask) / 3 and rows[-1] - rows[0] + 1 >= SPAN * len(mask)


def _without_thin(strong: Mask) -> Mask:
    """Leave out straight lines where they are not thicker than elsewhere: no stroke crosses them there."""
    across, down = _rules(strong), _rules(strong.T).T
    if not (across.any() or down.any()):
        return strong
    down = _thin(down.T, strong.T).T
    left = strong & ~down
    return left & ~_thin(across, left)


def _cut_out(strong: Mask) -> bool:
    """Return whether the ink touches all sides as a digit does that was cut out closely, and not as lines do."""
    sides = strong[0], strong[-1], strong[:, 0], strong[:, -1]
    top, bottom, left, right = (b"\1" in side.tobytes() for side in sides)
    if not (top and bottom or left and right):
        return True
    runs = [int(side[0]) + int((side[1:] > side[:-1]).sum()) for side in sides]
    if min(runs) == 0:
        return False
    return max(runs) <= TIGHT_RUNS and np.concatenate(sides).mean() < TIGHT_SHARE


def _rules(strong: Mask) -> Mask:
    """Return the part of `strong` in lines that run from the left to the right border."""
    width = strong.shape[1]
    thick = strong.copy()
    for step in range(1, SLACK + 1):
        thick[step:] |= strong[:-step]
        thick[:-step] |= strong[step:]
    straight = _runs(thick) >= STRAIGHT * width
    labels, count = mahotas.label(straight & strong, NEIGHBOURS)
    if not count:
        return np.zeros_like(strong)
    boxes = mahotas.labeled.bbox(labels)
    spans = boxes[:, 3] - boxes[:, 2] >= SPAN * width
    spans[0] = False
    return spans[labels]


def _thin(rules: Mask, strong: Mask) -> Mask:
    """Return the pixels of `rules`, which run along rows, that no stroke crosses."""
    if not rules.any():
        return rules
    thickness = _runs(strong.T).T
    return rules & (thickness <= 2 * np.quantile(thickness[rules], 0.25) + 1)


def _runs(mask: Mask) -> NDArray[np.intp]:
    """Return the length of the run of each pixel of `mask` in its row."""
    labels, _ = mahotas.label(mask, ALONG_ROWS)
    sizes = mahotas.labeled.labeled_size(labels)
    sizes[0] = 0
    return sizes[labels]
