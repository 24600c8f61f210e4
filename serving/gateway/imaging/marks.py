"""Tell digits from what is around them, and from each other, by their separate marks."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import mahotas
import numpy as np
from numpy.typing import NDArray

from serving.gateway.imaging.boxes import SIDE as BOX_SIDE
from serving.gateway.imaging.boxes import without_box
from serving.gateway.imaging.levels import Floats
from serving.gateway.imaging.masks import NEIGHBOURS, Mask
from serving.gateway.imaging.masks import extent as ink_extent

MOST = 60  # marks are looked at, the heaviest
FAINT = 0.5  # of the strongest ink: a mark without stronger ink is none
SPECK = 0.02  # of the ink: smaller separate marks are dirt
ENCLOSED = 0.3  # of a ring's or box's shorter side: a mark in it that is longer is the digit
HOLLOW = 0.4  # of its box, at most, is the ink of a ring or box
THIN = 0.08  # of its box, at most, is the ink of a box's lines, of which two sides tell it
SURROUNDED = 0.9  # of a mark's rows and columns have ink of its ring on both sides
BAND = 0.06  # of the shorter side: frames keep within it
IN_BAND = 0.85  # of a frame's ink lies in the band
INNER_LENGTH, INNER_MASS = 0.2, 0.05  # of a mark at the border: a mark apart from the border that counts more than it
FLAT = 0.25  # height over width of a line under a digit, at most
UNDER = 0.03  # of the digit's height: the gap to a line under it
LARGE_HEIGHT, LARGE_MASS = 0.5, 0.15  # of the highest and heaviest: a mark that may be a digit by itself, as no bar is
NEAR_PART = 0.1  # of its longer side: a mark so close to a part counts too
PIECE = 0.5  # of the longest mark: pieces of a digit lie so close to the rest of it
BROKEN = 0.08  # of the longest mark: a gap within a digit
STACKED = 0.25  # of the longest mark: a gap within a digit to the piece below; digits mostly stand in rows
CORNERS = 0.2  # of the longest mark: such a gap to a piece below and beside
TALL, INSIDE = 0.75, 0.9  # of the longest mark: a digit's height; of the narrower one's width
OVERLAP = 0.5  # of the narrower mark: one above the other
CARD_SIDE = 24  # pixels, at least
CARD_EDGE = 0.03  # of its shorter side: the edge of a card, of which all of its sides have ink
CARD_FULL, CARD_INK = 0.6, 0.01  # of a card is filled at least, and is ink on it


class Mark(NamedTuple):
    """Connected ink: its number, box, and mass in grey levels."""

    number: int
    top: int
    bottom: int
    left: int
    right: int
    mass: float
    alone: bool = False  # there is no other in the view

    @property
    def height(self) -> int:
        """Return the height in pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Return the width in pixels."""
        return self.right - self.left

    @property
    def length(self) -> int:
        """Return the longer side in pixels."""
        return max(self.height, self.width)


Digit = list[Mark]  # the marks of one digit
Part = tuple[float, float, float, float]  # of a view: its first row and the one past the last, and so the columns


def find_digits(ink: Floats, strong: Mask, parts: Sequence[Part] = ()) -> tuple[NDArray[np.intp], list[Digit]]:
    """Return the number of each pixel's mark, 0 without, and the digits from left to right.

    Only marks whose middle is in one of `parts` count, if there are any.
    """
    labels, count = mahotas.label(strong, NEIGHBOURS)
    if max(strong.shape) >= BOX_SIDE and (left := _without_boxes(strong, labels)) is not strong:
        strong = left
        labels, count = mahotas.label(strong, NEIGHBOURS)
    if count == 1:
        return labels, [[_only(strong)]]
    marks = _marks(ink, labels)
    marks = [mark for mark in marks if any(_is_in(mark, part) for part in parts)] or marks
    if len(marks) > 1:
        for clean in (_without_enclosing, _without_border, _without_underline):
            marks = clean(marks, labels)
    digits = _grouped(marks, labels)
    return labels, sorted(digits, key=lambda digit: min(mark.left for mark in digit))


def _without_boxes(strong: Mask, labels: NDArray) -> Mask:
    """Return the mask of strong ink without boxes that touch the digit in them."""
    boxes = mahotas.labeled.bbox(labels)
    boxes[0] = 0  # of the ground
    large = np.flatnonzero(np.minimum(boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]) >= BOX_SIDE)
    left = strong
    for number in large.tolist():
        top, bottom, first, last = boxes[number].tolist()
        own = labels[top:bottom, first:last] == number
        inside = without_box(own)
        if inside is not None:
            left = left.copy() if left is strong else left
            left[top:bottom, first:last][own & ~inside] = False
    return left


def _only(strong: Mask) -> Mark:
    """Return the one mark of a view; without others its mass says nothing."""
    found = ink_extent(strong)
    assert found is not None
    (top, bottom), (left, right) = found
    return Mark(1, top, bottom, left, right, 1.0, alone=True)


def _marks(ink: Floats, labels: NDArray) -> list[Mark]:
    """Return the heaviest marks that are not much fainter than the strongest."""
    mass = mahotas.labeled.labeled_sum(ink, labels)
    mass[0] = 0
    peaks = mahotas.labeled.labeled_max(ink, labels)
    mass[peaks < FAINT * peaks[1:].max(initial=0)] = 0
    numbers = np.argsort(mass)[::-1][:MOST]
    boxes = mahotas.labeled.bbox(labels)
    marks = []
    for at in numbers[mass[numbers] > 0].tolist():
        top, bottom, left, right = boxes[at].tolist()
        marks.append(Mark(at, top, bottom, left, right, float(mass[at])))
    return marks


def _is_in(mark: Mark, part: Part) -> bool:
    top, bottom, left, right = part
    y, x = (mark.top + mark.bottom) / 2, (mark.left + mark.right) / 2
    more = NEAR_PART * max(bottom - top, right - left)
    return top - more <= y <= bottom + more and left - more <= x <= right + more


def _without_enclosing(marks: list[Mark], labels: NDArray) -> list[Mark]:
    """Leave out rings and boxes around other marks."""
    return [ring for ring in marks if not any(_encloses(ring, mark, labels) for mark in marks)]


def _encloses(ring: Mark, mark: Mark, labels: NDArray) -> bool:
    if not (ring.top < mark.top and mark.bottom < ring.bottom and ring.left < mark.left and mark.right < ring.right):
        return False
    if mark.length < ENCLOSED * min(ring.height, ring.width):
        return False
    ink = labels[ring.top : ring.bottom, ring.left : ring.right] == ring.number
    if ink.mean() > HOLLOW:
        return False
    top, bottom, left, right = (
        mark.top - ring.top,
        mark.bottom - ring.top,
        mark.left - ring.left,
        mark.right - ring.left,
    )
    sides = (
        ink[top:bottom, :left].any(axis=1),
        ink[top:bottom, right:].any(axis=1),
        ink[:top, left:right].any(axis=0),
        ink[bottom:, left:right].any(axis=0),
    )
    closed = sum(bool(side.mean() >= SURROUNDED) for side in sides)
    return closed >= (2 if ink.mean() <= THIN else 4)


def _without_border(marks: list[Mark], labels: NDArray) -> list[Mark]:
    """Leave out frames, and what reaches in from the border beside a mark that does not touch it."""
    height, width = labels.shape
    inner = [m for m in marks if m.top > 0 and m.left > 0 and m.bottom < height and m.right < width]
    if not inner:
        return marks
    longest, heaviest = max(mark.length for mark in inner), max(mark.mass for mark in inner)

    def stays(mark: Mark) -> bool:
        if mark in inner:
            return True
        if longest >= INNER_LENGTH * mark.length and heaviest >= INNER_MASS * mark.mass:
            return False
        band = max(2, round(BAND * min(height, width)))
        own = labels == mark.number
        return own[band:-band, band:-band].sum() > (1 - IN_BAND) * own.sum()

    return [mark for mark in marks if stays(mark)]


def _without_underline(marks: list[Mark], labels: NDArray) -> list[Mark]:
    """Leave out flat lines below everything else."""
    heaviest = max(mark.mass for mark in marks)

    def under(mark: Mark) -> bool:
        if mark.height > FLAT * mark.width:
            return False
        above = [o for o in marks if o.number != mark.number and o.mass > SPECK * heaviest and o.bottom <= mark.bottom]
        if not above or max(o.height for o in above) < mark.width / 3:
            return False
        return mark.top - max(o.bottom for o in above) >= UNDER * max(o.height for o in above)

    return [mark for mark in marks if not under(mark)]


def _grouped(marks: list[Mark], labels: NDArray) -> list[Digit]:
    """Put the pieces of each digit together, and leave out dirt."""
    total, heaviest = sum(mark.mass for mark in marks), max(mark.mass for mark in marks)
    kept = [mark for mark in marks if mark.mass >= min(SPECK * total, heaviest)]
    longest, highest = max(mark.length for mark in kept), max(mark.height for mark in kept)

    def large(mark: Mark) -> bool:
        return mark.mass == heaviest or (mark.height >= LARGE_HEIGHT * highest and mark.mass >= LARGE_MASS * heaviest)

    groups: list[Digit] = []
    for mark in kept:
        joined = [d for d in groups if any(_one_digit(mark, other, longest, labels) for other in d)]
        groups = [d for d in groups if d not in joined] + [[mark, *(other for d in joined for other in d)]]
    digits = [group for group in groups if any(map(large, group))]
    for mark in (mark for group in groups if group not in digits for mark in group):
        nearest = min(digits, key=lambda digit: min(_gap(mark, other) for other in digit))
        if min(_gap(mark, other) for other in nearest) <= PIECE * longest:
            nearest.append(mark)
    return digits


def _gap(one: Mark, other: Mark) -> int:
    """Return the pixels between the boxes of two marks, 0 where they overlap."""
    across = max(one.left, other.left) - min(one.right, other.right)
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    return max(across, down, 0)


def _one_digit(one: Mark, other: Mark, longest: int, labels: NDArray) -> bool:
    """Return whether two large marks are strokes of one digit."""
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    across = max(one.left, other.left) - min(one.right, other.right)
    if down >= 0:  # one above the other
        overlap = -across >= STACKED * min(one.width, other.width)
        return (down <= STACKED * longest and overlap) or max(down, across) <= CORNERS * longest
    if min(one.height, other.height) >= TALL * longest:  # two digits, unless one lies in the other
        return -across >= INSIDE * min(one.width, other.width)
    if -across >= OVERLAP * min(one.width, other.width):
        return True
    left, right = sorted((one, other), key=lambda mark: mark.left)
    rows = slice(max(one.top, other.top), min(one.bottom, other.bottom))
    return _between(labels[rows] == left.number, labels[rows] == right.number) <= BROKEN * longest


def _between(left: Mask, right: Mask) -> float:
    """Return the fewest pixels in a row from the last of `left` to the first of `right`."""
    rows = left.any(axis=1) & right.any(axis=1)
    if not rows.any():
        return np.inf
    width = left.shape[1]
    ends = width - left[rows][:, ::-1].argmax(axis=1)
    return float((right[rows].argmax(axis=1) - ends).min())


def card_inside(labels: NDArray, digit: Digit) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the rows and columns inside a card: a filled rectangle with holes, which are ink of the other polarity."""
    if max(mark.length for mark in digit) < CARD_SIDE:
        return None
    rows, columns = extent(digit)
    if min(rows[1] - rows[0], columns[1] - columns[0]) < CARD_SIDE:
        return None
    part = labels[slice(*rows), slice(*columns)] > 0
    edge = max(1, round(CARD_EDGE * min(part.shape)))
    if not CARD_FULL <= part.mean() <= 1 - CARD_INK:
        return None
    sides = part[:edge].any(axis=0), part[-edge:].any(axis=0), part[:, :edge].any(axis=1), part[:, -edge:].any(axis=1)
    if min(float(side.mean()) for side in sides) < SURROUNDED:
        return None
    return (rows[0] + edge, rows[1] - edge), (columns[0] + edge, columns[1] - edge)


def extent(marks: Iterable[Mark]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first row and the one past the last, and so the columns, of marks."""
    several: Sequence[Mark] = list(marks)
    rows = min(mark.top for mark in several), max(mark.bottom for mark in several)
    return rows, (min(mark.left for mark in several), max(mark.right for mark in several))
