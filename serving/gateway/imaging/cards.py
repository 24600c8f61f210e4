"""Find a card or sheet with ink on it, as it lies on a desk or is shown in a window."""

from typing import NamedTuple

import mahotas
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from serving.gateway.imaging.levels import border
from serving.gateway.imaging.masks import Mask, extent
from serving.gateway.imaging.raster import Box, View

SMALLEST = 32  # pixels of a side: a smaller picture has no room for a card around a digit
SIDE = 128  # pixels: a larger view is looked at by every second, or fewer
LEAST, MOST = 0.06, 0.92  # of a view: a card
FOUR_SIDED = 0.9  # of a card and the quadrilateral of its corners together lies in both
INK = (0.004, 0.4)  # of a card: its ink
HEIGHT = 0.12  # of a card's shorter side: its ink is at least so long
EDGE = 0.03  # of a card's shorter side: where its edges are seen
APART = 30  # of 255 grey levels: a card differs from what is around it

Corners = NDArray[np.float64]  # x and y of four, `[4, 2]`, clockwise or the reverse


class Card(NamedTuple):
    """The corners of a card in the picture, and the box around them."""

    corners: Corners
    box: Box

    @classmethod
    def upright(cls, box: Box) -> "Card":
        """Return the card that fills a box."""
        x, y, width, height = box
        return cls(np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float64), box)


def find_card(view: View) -> Card | None:
    """Return the largest four-sided area of one tone that has ink of another on it, None without."""
    if min(view.levels.shape[:2]) < SMALLEST:
        return None
    every = max(1, -(-max(view.levels.shape[:2]) // SIDE))
    grey = np.ascontiguousarray(view.levels[::every, ::every].mean(axis=2).astype(np.uint8))
    light = grey > mahotas.otsu(grey)
    if not light.any() or light.all() or grey[light].mean() - grey[~light].mean() < APART:
        return None
    found = [card for tone in (light, ~light) if (card := _of_tone(tone)) is not None]
    if not found:
        return None
    corners, _ = max(found, key=lambda card: card[1])
    middle = corners.mean(axis=0)
    corners = middle + (corners - middle) * (1 - 2 * EDGE)
    places = (corners + 0.5) * every * np.array(view.step) + [view.x, view.y]
    (left, top), (right, bottom) = places.min(axis=0), places.max(axis=0)
    return Card(places, Box(round(left), round(top), max(round(right - left), 1), max(round(bottom - top), 1)))


def only_card(view: View, corners: Corners) -> View:
    """Return a view in which all that is not on a card has the card's colour."""
    inside = _polygon((corners - [view.x, view.y]) / view.step, view.levels.shape)
    if inside.all() or not inside.any():
        return view
    levels = view.levels.copy()
    levels[~inside] = np.median(levels[inside], axis=0)
    return view._replace(levels=levels)


def _of_tone(tone: Mask) -> tuple[Corners, int] | None:
    """Return the corners, x and y, and the area of the largest card among the areas of one tone."""
    labels, count = mahotas.label(tone)
    if not count:
        return None
    sizes = mahotas.labeled.labeled_size(labels)
    sizes[0] = 0
    largest = int(sizes.argmax())
    if sizes[largest] < LEAST * tone.size / 2:
        return None
    own = labels == largest
    if border(own).all():  # the ground around all else
        return None
    filled = mahotas.close_holes(own)
    area = int(filled.sum())
    if not LEAST * tone.size <= area <= MOST * tone.size:
        return None
    ink = filled & ~own
    if not INK[0] * area <= ink.sum() <= INK[1] * area:
        return None
    corners = _corners(filled)
    inside = _polygon(corners, filled.shape)
    if (filled & inside).sum() < FOUR_SIDED * (filled | inside).sum():
        return None
    found = extent(ink)
    shorter = min(np.ptp(corners, axis=0))
    if found is None or max(end - start for start, end in found) < HEIGHT * shorter:
        return None
    return corners, area


def _corners(filled: Mask) -> Corners:
    """Return the ends of the longest line in an area and the points furthest from it at both sides."""
    rows = np.flatnonzero(filled.any(axis=1))
    first, last = filled[rows].argmax(axis=1), filled.shape[1] - 1 - filled[rows][:, ::-1].argmax(axis=1)
    points = np.concatenate([np.stack([first, rows], axis=1), np.stack([last, rows], axis=1)]).astype(np.float64)
    away = np.square(points[:, np.newaxis] - points).sum(axis=2)
    a, b = (points[at] for at in np.unravel_index(away.argmax(), away.shape))
    beside = (points - a) @ np.array([a[1] - b[1], b[0] - a[0]])
    return np.stack([a, points[beside.argmax()], b, points[beside.argmin()]])


def _polygon(corners: Corners, shape: tuple[int, ...]) -> Mask:
    """Return the mask, of so many rows and columns, of the area between corners."""
    mask = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in corners], fill=1)
    return np.asarray(mask)
