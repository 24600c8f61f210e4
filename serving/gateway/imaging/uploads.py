"""Turn uploaded images into pixels framed as the training set is."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from serving.gateway.errors import Fault, TooLarge, Unprocessable
from serving.gateway.imaging.decode import NotAnImage, TooManyPixels, open_image, read_levels
from serving.gateway.imaging.foreground import NoInk
from serving.gateway.imaging.framing import FRAMINGS
from serving.gateway.manifest import ImageFormat
from serving.gateway.settings import Settings

LIGHT_PIXELS = 65_536  # of a request: more take milliseconds to decode


class Heavy(Exception):
    """Reading the images takes milliseconds: it belongs into a thread."""


class Upload(NamedTuple):
    """An encoded image and its place in the request, as a JSON pointer."""

    place: str
    data: bytes


def frame_uploads(
    uploads: Sequence[Upload], image: ImageFormat, settings: Settings, *, light: bool = False
) -> list[bytes]:
    """Return the pixels of each upload, framed; `light` ones raise Heavy where they have many pixels.

    Raise TooLarge or Unprocessable, naming its place, for an upload that cannot be read. The headers of all are looked
    at before any is decoded.
    """
    opened = [_open(upload, settings.max_pixels) for upload in uploads]
    pixels = sum(each.width * each.height for each in opened)
    if pixels > settings.max_request_pixels:
        raise TooLarge(
            f"The images have {pixels:,} pixels together; at most {settings.max_request_pixels:,} are decoded."
        )
    if light and pixels > LIGHT_PIXELS:
        raise Heavy
    return [_frame(upload.place, each, image) for upload, each in zip(uploads, opened, strict=True)]


def unprocessable(place: str, detail: str) -> Unprocessable:
    """Return the error for what is wrong at `place`."""
    return Unprocessable(f"{place}: {detail}" if place else detail, [Fault(place, detail)])


def _open(upload: Upload, max_pixels: int) -> Image.Image:
    try:
        return open_image(upload.data, max_pixels)
    except NotAnImage as error:
        raise unprocessable(upload.place, str(error)) from error
    except TooManyPixels as error:
        raise TooLarge(str(error), [Fault(upload.place, str(error))]) from error


def _frame(place: str, opened: Image.Image, image: ImageFormat) -> bytes:
    try:
        return FRAMINGS[image.framing](read_levels(opened), image.height, image.width).tobytes()
    except NotAnImage as error:
        raise unprocessable(place, str(error)) from error
    except NoInk as error:
        raise unprocessable(place, "The image is blank: nothing on it stands out from its ground.") from error
