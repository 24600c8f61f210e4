"""Take a box's lines from a digit that touches them."""

import mahotas
import numpy as np

from serving.gateway.imaging.masks import Mask, extent

SIDE = 32  # pixels: a smaller mark is no box
BAND = 0.2  # of a box's side: its lines keep within it
ALONG = 0.93  # of a box's rows and columns have its lines at both sides
THICKER = 1.7  # times the usual thickness: there a stroke touches a line
INSIDE = 0.45  # of a box's height: the digit in it is at least so high
ROOM = 0.6  # of its box, at most, has ink


def without_box(ink: Mask) -> Mask | None:
    """Return the ink of a mark that fills `ink`, `[h, w]`, without the box around it, None where there is no box."""
    height, width = ink.shape
    if min(height, width) < SIDE or ink.mean() > ROOM:
        return None
    left = ink.copy()
    for turn in range(4):
        line = _first_runs(np.rot90(ink, turn))
        if line is None:
            return None
        np.rot90(left, turn)[line] = False
    left = _reaching_in(left)
    found = extent(left)
    return left if found is not None and found[0][1] - found[0][0] >= INSIDE * height else None


def _reaching_in(ink: Mask) -> Mask:
    """Return ink without what is left of the lines: marks that keep within the band."""
    labels, _ = mahotas.label(ink, np.ones((3, 3), bool))
    down, across = (max(2, round(BAND * side)) for side in ink.shape)
    inner = np.unique(labels[down:-down, across:-across])
    return np.isin(labels, inner[inner > 0])


def _first_runs(ink: Mask) -> Mask | None:
    """Return the line at the left, None where some rows have none: the first run of ink in each row."""
    height, width = ink.shape
    band = max(2, round(BAND * width))
    starts = ink.argmax(axis=1)
    there = ink.any(axis=1) & (starts < band)
    if there.mean() < ALONG:
        return None
    behind = np.arange(width) >= starts[:, np.newaxis]
    ends = np.where((behind & ~ink).any(axis=1), (behind & ~ink).argmax(axis=1), width)
    lengths = ends - starts
    most = max(2, round(THICKER * float(np.quantile(lengths[there], 0.25))))
    ends = np.minimum(ends, starts + most)
    columns = np.arange(width)
    line: Mask = there[:, np.newaxis] & (columns >= starts[:, np.newaxis]) & (columns < ends[:, np.newaxis])
    return line
