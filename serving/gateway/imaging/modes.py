"""Convert decoded images, or parts of them, to 8 bits a channel."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import BmpImagePlugin, Image

HIGHEST = 0xFFFF  # level of 16 bits
STRIP = 256  # rows that are looked at at once
FEW_LEVELS = 0x4000  # of 16 bits: in a narrower range, such as a camera's 12 bits, 8 bits of it would show too little


class Conversion(NamedTuple):
    """The mode that an image is shown in, L, RGB or RGBA, and the function that brings its parts there."""

    mode: str
    convert: Callable[[Image.Image], Image.Image]


def conversion(image: Image.Image) -> Conversion:
    """Return the conversion of a decoded image; parts of it are converted as the whole would be."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow's conversion would clip
        low, high = np.clip(_extrema(image), 0, HIGHEST).astype(int).tolist()
        return Conversion("L", partial(_of_16_bits, low=low, high=high))
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode in ("1", "L") else "RGB"
    if mode == "RGBA" and image.format == BmpImagePlugin.BmpImageFile.format and not image.getchannel("A").getbbox():
        mode = "RGB"  # a BMP's fourth byte is often left at 0, and viewers show such a one opaque
    return Conversion(mode, partial(_in_mode, mode))


def _extrema(image: Image.Image) -> tuple[float, float]:
    """Return the least and the highest level, strip by strip: Pillow holds Python's lock while it looks."""
    edges = ((0, top, image.width, min(top + STRIP, image.height)) for top in range(0, image.height, STRIP))
    lows, highs = zip(*(image.crop(each).getextrema() for each in edges), strict=True)
    return min(lows), max(highs)


def _in_mode(mode: str, image: Image.Image) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # converting to the same mode would copy


def _of_16_bits(image: Image.Image, low: int, high: int) -> Image.Image:
    """Return the upper 8 bits of 16, or the levels in use, `low` to `high`, stretched where there are few."""
    levels = np.asarray(image).clip(0, HIGHEST)
    if high - low < FEW_LEVELS:
        return Image.fromarray(((levels - low) * (255 / max(high - low, 1))).astype(np.uint8))
    return Image.fromarray((levels >> 8).astype(np.uint8))
