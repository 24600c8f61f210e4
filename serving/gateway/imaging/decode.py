"""Decode images of any size, colour and orientation to grey levels or colours."""

import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO

# Importing a module registers its format with Pillow; nothing else is ever decoded.
from PIL import BmpImagePlugin, ExifTags, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from serving.gateway.imaging import formats, jpeg, png
from serving.gateway.imaging.raster import Raster

PLUGINS = (
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
)
FORMATS = tuple(plugin.format for plugin in PLUGINS)
WORKING_SIDE = 256  # pixels: larger images are first looked at reduced to so many
LARGE = 4_000_000  # pixels: larger images are decoded one at a time, which bounds a worker's memory
ONE_LARGE = threading.Lock()
PIXEL_BYTES = 4  # that Pillow takes for a pixel with colour
WEBP_COST = 4  # times the memory of other formats: libwebp's decoder holds two frames beside the image, Pillow a copy
BMP_RUNS, RUNS_COST = (1, 2), 16  # the compressions RLE8 and RLE4, which Pillow decodes in Python
FRAMES = 32  # of an animation are looked at, until one has ink
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
        image = _opened(data)
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
    most = int(max_pixels / cost)
    if image.width * image.height > most:
        found = f"The image has {image.width} × {image.height} pixels"
        raise TooManyPixels(f"{found}; at most {most:,} are decoded{of_format}.")
    return image


def _opened(data: bytes) -> Image.Image:
    if data.startswith(jpeg.START):
        return jpeg.open_jpeg(data)
    if data.startswith(png.START):
        data = png.without_compressed_metadata(data)
    return Image.open(BytesIO(data), formats=FORMATS)


def _cost(image: Image.Image) -> tuple[float, str]:
    """Return how many times more a pixel costs than in other formats, and the reason in words."""
    if isinstance(image, JpegImagePlugin.JpegImageFile) and (cost := jpeg.bytes_held(image) / PIXEL_BYTES) > 1:
        return cost, f" of JPEG in several scans of so much colour, which takes {cost:.2g} times the memory"
    if image.format == WebPImagePlugin.WebPImageFile.format:
        return WEBP_COST, f" of WebP, which takes {WEBP_COST} times the memory"
    if image.format == BmpImagePlugin.BmpImageFile.format and image.info.get("compression") in BMP_RUNS:
        return RUNS_COST, f" of BMP in runs, which takes {RUNS_COST} times as long"
    return 1, ""


def most_frames(image: Image.Image) -> int:
    """Return how many frames of an image are looked at, at most, until one has ink."""
    most = min(FRAMES, LARGE // max(image.width * image.height, 1))
    try:
        return most if most > 1 and getattr(image, "is_animated", False) else 1
    except Exception:  # a damaged second frame does not matter, if the first has ink
        return most


def rasters(image: Image.Image) -> Generator[Raster]:
    """Decode an image's frames, from the first that viewers show; close the iterator when one is enough.

    Raise NotAnImage for damaged data.
    """
    name, size = image.format, image.size
    one_at_a_time: AbstractContextManager = ONE_LARGE if image.width * image.height > LARGE else nullcontext()
    first = 1 if image.info.get("default_image") else 0  # an APNG's picture for viewers without animation
    with one_at_a_time, image:
        for frame in range(first, first + most_frames(image)):
            try:
                if frame and not _sought(image, frame):
                    return
                if image.size != size:  # a frame of GIF that enlarges the picture, beyond any limit
                    return
                raster = _raster(image)
            except Exception as error:  # Pillow's decoders raise many types
                raise NotAnImage(f"The {name} image is damaged or cut off: {error}") from error
            yield raster


def _sought(image: Image.Image, frame: int) -> bool:
    """Move to a frame, unless there are fewer."""
    try:
        image.seek(frame)
    except EOFError:
        return False
    return True


def _raster(image: Image.Image) -> Raster:
    size = image.size
    # A large JPEG is decoded at half or a fourth of its size: at an eighth it takes as long, and shows too little.
    image.draft(None, (max(2 * WORKING_SIDE, image.width // 4), max(2 * WORKING_SIDE, image.height // 4)))
    image.load()
    return Raster(image, size, TURNS.get(_orientation(image)))


def _orientation(image: Image.Image) -> int:
    if not image.info:  # as of most small files
        return 1
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged metadata does not matter
        return 1
