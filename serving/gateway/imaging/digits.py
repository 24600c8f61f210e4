"""Find the digits of a picture, where they are seen finely enough."""

from contextlib import suppress
from typing import NamedTuple

import numpy as np

from serving.gateway.imaging.cards import Card, find_card, only_card
from serving.gateway.imaging.foreground import NoInk, find_ink
from serving.gateway.imaging.levels import Floats
from serving.gateway.imaging.marks import Digit, card_inside, extent, find_digits
from serving.gateway.imaging.masks import grown
from serving.gateway.imaging.raster import Box, Raster, View
from serving.gateway.imaging.rules import without_rules
from serving.gateway.imaging.shadows import evenly_lit

SIDE = 256  # pixels of a view: more are reduced
FINE = 64  # pixels: smaller ink is looked at again, closer
CLOSER = 0.6  # of the ink's longer side: the ground around it in a closer view
LOOKS = 3
MOST_CLOSER = 10  # of several digits, each of which takes a look of its own; more are a page's, and take too long
MUCH = 0.05  # of a view: more ink may be a card's, or that of the desk around it


class FoundDigit(NamedTuple):
    """The ink of a digit, [h, w], its rows and columns there, and its box in the picture."""

    ink: Floats
    rows: tuple[int, int]
    columns: tuple[int, int]
    box: Box


def read_digits(raster: Raster, whole: View) -> list[FoundDigit]:
    """Return the digits of a picture, of which `whole` is a view, from left to right; raise NoInk for a blank one."""
    return _look(raster, whole, [], LOOKS)


def _look(raster: Raster, view: View, seen: list[Box], looks: int) -> list[FoundDigit]:
    """Return the digits of a part of a picture, after so many looks, each closer, where they are small.

    A closer look is at the digits that were `seen` before.
    """
    found, card = _in_view(view, seen)
    if card is not None and looks > 1:
        with suppress(NoInk):
            closer = card.box.inside(*raster.whole[2:])
            return _look(raster, only_card(raster.view(closer, SIDE), card.corners), [], looks - 1)
    if looks == 1 or max(view.step) <= raster.step:
        return found
    closer = _around([digit.box for digit in found], view).inside(*raster.whole[2:])
    if _small(found) and max(closer.width, closer.height) < max(view.width, view.height):
        with suppress(NoInk):
            return _look(raster, raster.view(closer, SIDE), [digit.box for digit in found], looks - 1)
    return [_closer(raster, view, digit) for digit in found] if 1 < len(found) <= MOST_CLOSER else found


def _closer(raster: Raster, view: View, digit: FoundDigit) -> FoundDigit:
    """Return one of several digits as one closer look at it alone shows it, where it is small."""
    if _small([digit]):
        with suppress(NoInk):
            part = _around([digit.box], view).inside(*raster.whole[2:])
            found, _ = _in_view(raster.view(part, SIDE), [digit.box])
            return found[0] if len(found) == 1 else digit
    return digit


def _in_view(view: View, seen: list[Box]) -> tuple[list[FoundDigit], Card | None]:
    """Return the digits of a view, and the card if ink on a card is all that there is."""
    view = view._replace(levels=evenly_lit(view.levels))
    ink, strong = find_ink(view.levels)
    left = without_rules(ink, strong)
    card = None
    if left is not strong:  # squares are no cards
        ink = np.where(grown(left), ink, 0)
    elif np.count_nonzero(strong) > MUCH * strong.size:
        card = find_card(view)
    labels, digits = find_digits(ink, left, [view.part(box) for box in seen])
    inside = card_inside(labels, digits[0]) if card is None and len(digits) == 1 else None
    if inside is not None:
        card = Card.upright(view.box(*inside))
    return [_found(view, ink, labels, digit) for digit in digits], card


def _found(view: View, ink: Floats, labels: np.ndarray, digit: Digit) -> FoundDigit:
    rows, columns = extent(digit)
    if digit[0].alone:
        return FoundDigit(ink, rows, columns, view.box(rows, columns))
    own = grown(np.isin(labels, [mark.number for mark in digit]))
    return FoundDigit(np.where(own, ink, 0), rows, columns, view.box(rows, columns))


def _small(found: list[FoundDigit]) -> bool:
    """Return whether all the ink together is small."""
    sides = zip(*((*digit.rows, *digit.columns) for digit in found), strict=True)
    tops, bottoms, lefts, rights = sides
    return max(max(bottoms) - min(tops), max(rights) - min(lefts)) < FINE


def _around(boxes: list[Box], view: View) -> Box:
    """Return a box around all of `boxes`, with ground around them."""
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right, bottom = max(box.x + box.width for box in boxes), max(box.y + box.height for box in boxes)
    more = round(CLOSER * max(right - left, bottom - top) + 2 * max(view.step))
    return Box(left - more, top - more, right - left + 2 * more, bottom - top + 2 * more)
