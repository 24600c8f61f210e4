"""Decode images of any size, colour and orientation to grey levels or colours."""

import threading
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO

import numpy as np

# Importing a module registers its format with Pillow; nothing else is ever decoded.
from PIL import BmpImagePlugin, ExifTags, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from serving.gateway.imaging import formats, jpeg
from serving.gateway.imaging.foreground import Floats

PLUGINS = (
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
)
FORMATS = tuple(plugin.format for plugin in PLUGINS)
WORKING_SIDE = 256  # pixels: larger images are reduced first
STRIP = 16  # rows of the reduced image
LARGE = 4_000_000  # pixels: larger images are decoded one at a time, which bounds a worker's memory
ONE_LARGE = threading.Lock()
WEBP_COST = 4  # times the memory of other formats: libwebp's decoder holds two frames beside the image, Pillow a copy
BMP_RUNS, RUNS_COST = (1, 2), 16  # the compressions RLE8 and RLE4, which Pillow decodes in Python
FEW_LEVELS = 0x4000  # of 16 bits: in a narrower range, such as a camera's 12 bits, 8 bits of it would show too little
DARK_SHARE = 0.01  # of the opaque part: with more dark ink, a transparent image is laid on white
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class NotAnImage(ValueError):
    """Bytes that are no image of a known format, or a damaged one; the text says which."""


class UnreadFormat(ValueError):
    """A file of a known format that is not decoded; the text names it, and the formats that are."""


class TooManyPixels(ValueError):
    """An image with more pixels than the limit; the text says how many."""


def open_image(data: bytes, max_pixels: int) -> Image.Image:
    """Read the header of an image, without decoding; its content tells the format.

    Raise NotAnImage, UnreadFormat, or TooManyPixels beyond `max_pixels`.
    """
    try:
        image = jpeg.open_jpeg(data) if data.startswith(jpeg.START) else Image.open(BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixels(f"The image has more than {max_pixels:,} pixels.") from error
    except jpeg.Unreadable as error:
        raise NotAnImage(str(error)) from error
    except Exception as error:  # Pillow's parsers raise many types
        read = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        if found := formats.unread_format(data):
            raise UnreadFormat(f"This is a file of format {found}, which is not read; send a {read} image.") from error
        raise NotAnImage(f"This is no {read} image.") from error
    cost, of_format = _cost(image)
    if image.width * image.height > max_pixels // cost:
        found = f"The image has {image.width} × {image.height} pixels"
        raise TooManyPixels(f"{found}; at most {max_pixels // cost:,} are decoded{of_format}.")
    return image


def _cost(image: Image.Image) -> tuple[int, str]:
    """Return how many times more a pixel costs than in other formats, and the reason in words."""
    if image.format == WebPImagePlugin.WebPImageFile.format:
        return WEBP_COST, f" of WebP, which takes {WEBP_COST} times the memory"
    if image.format == BmpImagePlugin.BmpImageFile.format and image.info.get("compression") in BMP_RUNS:
        return RUNS_COST, f" of BMP in runs, which takes {RUNS_COST} times as long"
    return 1, ""


def read_levels(image: Image.Image) -> Floats:
    """Decode an image's first frame, upright and opaque: [h, w, 1 or 3] of 0…255, h and w at most WORKING_SIDE.

    Raise NotAnImage for damaged data.
    """
    name = image.format
    one_at_a_time: AbstractContextManager = ONE_LARGE if image.width * image.height > LARGE else nullcontext()
    with one_at_a_time, image:
        try:
            image.draft(None, (WORKING_SIDE, WORKING_SIDE))  # a large JPEG is decoded at a fraction of its size
            image.load()
            turn = TURNS.get(_orientation(image))
            small = _on_ground(_reduced(_with_levels(image)))
            levels = np.array(small.transpose(turn) if turn is not None else small, np.float32)
        except Exception as error:  # Pillow's decoders raise many types
            raise NotAnImage(f"The {name} image is damaged or cut off: {error}") from error
    return levels if levels.ndim == 3 else levels[:, :, np.newaxis]


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged metadata does not matter
        return 1


def _with_levels(image: Image.Image) -> Image.Image:
    """Return the image in one of the modes L, RGB and RGBA, 8 bits a channel."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow's conversion would clip
        return _of_16_bits(image)
    wanted = "RGBA" if image.has_transparency_data else "L" if image.mode in ("1", "L") else "RGB"
    if wanted == "RGBA" and image.format == BmpImagePlugin.BmpImageFile.format and not image.getchannel("A").getbbox():
        wanted = "RGB"  # a BMP's fourth byte is often left at 0, and viewers show such a one opaque
    return image if image.mode == wanted else image.convert(wanted)  # converting to the same mode would copy


def _of_16_bits(image: Image.Image) -> Image.Image:
    """Return the upper 8 bits of 16, or the levels in use stretched where there are few."""
    levels = np.asarray(image).clip(0, 0xFFFF)
    low, high = int(levels.min()), int(levels.max())
    if high - low < FEW_LEVELS:
        return Image.fromarray(((levels - low) * (255 / max(high - low, 1))).astype(np.uint8))
    return Image.fromarray((levels >> 8).astype(np.uint8))


def _reduced(image: Image.Image) -> Image.Image:
    factor = -(-max(image.size) // WORKING_SIDE)
    if factor == 1:
        return image
    width, height = image.size
    across, down = min(factor, width), min(factor, height)
    if image.mode != "RGBA":
        return image.reduce((across, down))
    # Pillow multiplies colours by their opacity first, in a copy of all that it reduces: of a strip at a time, here.
    small = Image.new(image.mode, (-(-width // across), -(-height // down)))
    for row in range(0, small.height, STRIP):
        strip = image.crop((0, row * down, width, min((row + STRIP) * down, height)))
        small.paste(strip.reduce((across, down)), (0, row))
    return small


def _on_ground(image: Image.Image) -> Image.Image:
    """Lay a transparent image on white, or on black if its visible part is light."""
    if image.mode != "RGBA":
        return image
    alpha = np.asarray(image.getchannel("A"))
    dark = np.asarray(image.convert("L")) < 128
    on_white = alpha[dark].sum(dtype=np.int64) > DARK_SHARE * alpha.sum(dtype=np.int64)
    ground = Image.new("RGBA", image.size, "white" if on_white else "black")
    return Image.alpha_composite(ground, image).convert("RGB")
