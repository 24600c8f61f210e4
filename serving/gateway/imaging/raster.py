"""Give parts of a decoded image, upright, opaque, and as fine as they are asked for."""

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from serving.gateway.imaging.modes import conversion
from serving.gateway.imaging.transparency import Ground, on_ground

Turn = Image.Transpose
BACK = {**{turn: turn for turn in Turn}, Turn.ROTATE_90: Turn.ROTATE_270, Turn.ROTATE_270: Turn.ROTATE_90}
TILE = 1024  # pixels of a side: so much of an image is converted and reduced at a time
OPAQUE = 255
SWAPPING = (Turn.TRANSPOSE, Turn.ROTATE_90, Turn.ROTATE_270, Turn.TRANSVERSE)  # width and height


class Box(NamedTuple):
    """A part of an image, in its pixels."""

    x: int
    y: int
    width: int
    height: int

    def turned(self, width: int, height: int, turn: Turn | None) -> "Box":
        """Return the box's place once its image of width × height pixels is turned."""
        x, y, wide, high = self
        right, below = width - x - wide, height - y - high
        return Box(
            *{
                None: (x, y, wide, high),
                Turn.FLIP_LEFT_RIGHT: (right, y, wide, high),
                Turn.ROTATE_180: (right, below, wide, high),
                Turn.FLIP_TOP_BOTTOM: (x, below, wide, high),
                Turn.TRANSPOSE: (y, x, high, wide),
                Turn.ROTATE_270: (below, x, high, wide),
                Turn.TRANSVERSE: (below, right, high, wide),
                Turn.ROTATE_90: (y, right, high, wide),
            }[turn]
        )

    def inside(self, width: int, height: int) -> "Box":
        """Return the part of the box that lies in an image of width × height pixels."""
        left, top = max(self.x, 0), max(self.y, 0)
        return Box(left, top, min(self.x + self.width, width) - left, min(self.y + self.height, height) - top)


class Place(NamedTuple):
    """The place of a digit: the number of its picture in the request, from 0, and its box there."""

    image: int
    box: Box | None


class View(NamedTuple):
    """Levels, uint8 [h, w, 1 or 3], of a part of an image from `x` and `y` on; `step` is a pixel's width and height."""

    levels: NDArray[np.uint8]
    x: int
    y: int
    step: tuple[float, float]

    @property
    def width(self) -> float:
        """Return the width in the image's pixels."""
        return self.levels.shape[1] * self.step[0]

    @property
    def height(self) -> float:
        """Return the height in the image's pixels."""
        return self.levels.shape[0] * self.step[1]

    def part(self, box: Box) -> tuple[float, float, float, float]:
        """Return the first row and the one past the last, and so the columns, that show a part of the image."""
        (wide, high), left, top = self.step, box.x - self.x, box.y - self.y
        return top / high, (top + box.height) / high, left / wide, (left + box.width) / wide

    def box(self, rows: tuple[int, int], columns: tuple[int, int]) -> Box:
        """Return the part of the image that these rows and columns of the view show."""
        (wide, high), (left, right), (top, bottom) = self.step, columns, rows
        return Box(
            round(self.x + left * wide),
            round(self.y + top * high),
            max(round((right - left) * wide), 1),
            max(round((bottom - top) * high), 1),
        )


class Raster:
    """A decoded image; `size` is that of its file, of which it may be a reduction.

    `turn` makes it upright.
    """

    def __init__(self, image: Image.Image, size: tuple[int, int], turn: Turn | None) -> None:
        self._image, self._size, self._turn = image, size, turn
        self._mode, self._convert = conversion(image)
        self._ground: Ground | None = None
        self.step = size[0] / image.size[0]  # the file's pixels a decoded pixel
        self.whole = Box(0, 0, *size).turned(*size, turn)

    def view(self, box: Box, side: int) -> View:
        """Return a part of the image, its longer side at most `side` pixels."""
        size = self._image.size
        if box == self.whole and size == self._size and max(size) <= side and self._turn is None:
            return View(_levels(self._opaque(self._convert(self._image))), 0, 0, (1, 1))
        x, y, width, height = box.turned(*self.whole[2:], BACK[self._turn] if self._turn is not None else None)
        left, top = int(x / self.step), int(y / self.step)
        part = Box(left, top, -int(-(x + width) // self.step) - left, -int(-(y + height) // self.step) - top)
        part = part.inside(*size)
        factor = max(-(-max(part[2:]) // side), 1)
        factors = min(factor, part.width), min(factor, part.height)
        image = self._opaque(self._reduced(part, factors))
        levels = _levels(image.transpose(self._turn) if self._turn is not None else image)
        shown = Box(*(round(each * self.step) for each in part)).turned(*self._size, self._turn)
        step = factors[0] * self.step, factors[1] * self.step
        swapped = self._turn in SWAPPING
        return View(levels, shown.x, shown.y, step[::-1] if swapped else step)

    def _reduced(self, part: Box, factors: tuple[int, int]) -> Image.Image:
        """Return a part of the image, each of its pixels the mean of so many across and down.

        A tile at a time: a conversion takes a copy, and so does Pillow to multiply colours by their opacity.
        """
        image, (across, down) = self._image, factors
        left, top, right, bottom = edges = part.x, part.y, part.x + part.width, part.y + part.height
        if factors == (1, 1):
            return self._convert(image if part[2:] == image.size else image.crop(edges))
        small = Image.new(self._mode, (-(-part.width // across), -(-part.height // down)))
        columns, rows = max(TILE // across, 1), max(TILE // down, 1)
        for row, column in product(range(0, small.height, rows), range(0, small.width, columns)):
            x, y = left + column * across, top + row * down
            tile = image.crop((x, y, min(x + columns * across, right), min(y + rows * down, bottom)))
            small.paste(self._convert(tile).reduce(factors), (column, row))
        return small

    def _opaque(self, image: Image.Image) -> Image.Image:
        if image.mode != "RGBA":
            return image
        if image.getchannel("A").getextrema()[0] == OPAQUE:
            return image.convert("RGB")
        if self._ground is None:  # the first view shows the whole
            self._ground = Ground.of(image)
        return on_ground(image, self._ground)


def _levels(image: Image.Image) -> NDArray[np.uint8]:
    """Return an image's levels, of one channel where all are alike."""
    levels = np.asarray(image)
    if levels.ndim == 2:
        return levels[:, :, np.newaxis]
    first = levels[:, :, 0]
    return levels[:, :, :1] if all(np.array_equal(first, levels[:, :, at]) for at in (1, 2)) else levels
