"""Frame an image like the training set.

MNIST's digits are light on dark, scaled until the longer side of their ink is 20 pixels, and shifted by whole pixels
until their centre of mass is at the centre of 28 × 28. So an already framed image has scale 1 and shift 0, and passes
unchanged. Where the ink is larger than the frame, thin strokes are widened, since they would fade.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, Field, model_validator

from serving.gateway.imaging.digits import FoundDigit
from serving.gateway.imaging.levels import Floats
from serving.gateway.imaging.masks import extent
from serving.gateway.imaging.strokes import with_pen

Pixels = NDArray[np.uint8]

INK_SHARE = 20 / 28  # the longer side of the ink over the frame's side
OFF_CENTRE = 0.55  # pixels, at most, from the frame's middle to the centre of mass: half a pixel and rounding
MARGIN = 1  # pixels of the frame around the ink's box: room for the faint edge of the ink
FINER = 4  # pixels a pixel of the frame, while strokes are widened
SMALLEST_SIDE, LARGEST_SIDE = 8, 1024  # pixels of a frame


def frame_mnist(digit: FoundDigit, height: int, width: int) -> Pixels:
    """Frame a digit's ink as uint8 [height, width]."""
    ink, rows, columns, _ = digit
    side = round(INK_SHARE * min(height, width))
    if max(rows[1] - rows[0], columns[1] - columns[0]) > min(height, width):
        ink = with_pen(_scaled(ink, rows, columns, FINER * side), FINER)
        rows, columns = ((MARGIN, length - MARGIN) for length in ink.shape)
    framed = _scaled(ink, rows, columns, side)
    framed *= max(1.0, 254 / framed.max())  # the peaks of MNIST's images are 254 or 255
    return _centred(np.rint(np.minimum(np.maximum(framed, 0), 255)).astype(np.uint8), height, width)


def framed_already(levels: NDArray[np.uint8]) -> Pixels | None:
    """Return `levels`, [h, w, 1], light on dark, if they are framed as MNIST's images are, else None."""
    pixels = levels[:, :, 0]
    if pixels[0, 0]:
        pixels = ~pixels
    side, found = round(INK_SHARE * min(pixels.shape)), extent(pixels)
    if found is None or not side - 1 <= max(end - start for start, end in found) <= side:
        return None
    away = (abs(at - length / 2) for at, length in zip(_centre(pixels), pixels.shape, strict=True))
    return pixels if max(away) <= OFF_CENTRE else None


FRAMINGS: Mapping[str, Callable[[FoundDigit, int, int], Pixels]] = MappingProxyType({"mnist": frame_mnist})


class ImageFormat(BaseModel):
    """The format of the training set's images: size in pixels, and framing."""

    height: int = Field(ge=SMALLEST_SIDE, le=LARGEST_SIDE)
    width: int = Field(ge=SMALLEST_SIDE, le=LARGEST_SIDE)
    framing: Annotated[str, Field(examples=["mnist"])]

    @property
    def pixels(self) -> int:
        """Return the number of pixels, and of bytes, of one image."""
        return self.height * self.width

    @model_validator(mode="after")
    def _known_framing(self) -> Self:
        if self.framing not in FRAMINGS:
            raise ValueError(f"framing {self.framing!r} is not known; known: {', '.join(FRAMINGS)}")
        return self


def _scaled(ink: Floats, rows: tuple[int, int], columns: tuple[int, int], longer: int) -> Floats:
    """Return `ink` between `rows` and `columns`, the longer side resized to `longer` pixels, with a MARGIN around."""
    scale = longer / max(rows[1] - rows[0], columns[1] - columns[0])
    pad = math.ceil((MARGIN + 1) / scale)
    size, box = [], []
    for start, end in (columns, rows):
        side = max(1, round((end - start) * scale)) + 2 * MARGIN
        middle = (start + end) / 2 + pad
        size.append(side)
        box.append((middle - side / scale / 2, middle + side / scale / 2))
    padded = np.zeros((ink.shape[0] + 2 * pad, ink.shape[1] + 2 * pad), np.float32)
    padded[pad:-pad, pad:-pad] = ink
    (left, right), (top, bottom) = box
    if scale == 1:
        return padded[int(top) : int(bottom), int(left) : int(right)]
    # Shrinking averages the ink of a pixel; growing interpolates between pixels.
    kernel = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return np.array(Image.fromarray(padded).resize((size[0], size[1]), kernel, (left, top, right, bottom)))


def _centred(digit: Pixels, height: int, width: int) -> Pixels:
    """Lay `digit` into [height, width], by whole pixels, with its centre of mass at the centre."""
    canvas = np.zeros((height + 2 * MARGIN, width + 2 * MARGIN), np.uint8)
    top, left = map(_offset, _centre(digit), digit.shape, canvas.shape)
    canvas[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return canvas[MARGIN : MARGIN + height, MARGIN : MARGIN + width]


def _offset(centre: float, length: int, side: int) -> int:
    """Return the start of `length` in `side` pixels that puts its centre of mass into [side/2 − ½, side/2 + ½)."""
    return min(max(math.ceil((side - 1) / 2 - centre), 0), side - length)


def _centre(pixels: Pixels) -> tuple[float, float]:
    """Return the row and column of the centre of mass; products are faster than sums of small arrays, and exact."""
    weights = pixels.astype(np.float64)
    height, width = pixels.shape
    rows, columns = weights @ np.ones(width), np.ones(height) @ weights
    mass = rows @ np.ones(height)
    return float(rows @ np.arange(0.0, height) / mass), float(columns @ np.arange(0.0, width) / mass)
