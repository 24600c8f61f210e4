"""Turn uploaded images into pixels framed like the training set."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from PIL import Image

from serving.gateway.errors import Fault, TooLarge, Unprocessable
from serving.gateway.imaging.decode import NotAnImage, TooManyPixels, open_image, read_levels
from serving.gateway.imaging.foreground import NoInk
from serving.gateway.imaging.framing import FRAMINGS, ImageFormat

LIGHT_PIXELS = 65_536  # of a request: decoding more takes milliseconds


class Heavy(Exception):
    """Images that take milliseconds to read, which belong into a thread."""


class Upload(NamedTuple):
    """An encoded image and its place in the request, as a JSON pointer."""

    place: str
    data: bytes


class PixelLimits(Protocol):
    """The most pixels of one encoded image, and of all of a request together."""

    @property
    def max_pixels(self) -> int:
        """Return the most pixels of an image."""

    @property
    def max_request_pixels(self) -> int:
        """Return the most pixels of a request."""


def frame_uploads(
    uploads: Sequence[Upload], image: ImageFormat, limits: PixelLimits, *, light: bool = False
) -> list[bytes]:
    """Return the framed pixels of each upload; raise Heavy if `light` and there are more than LIGHT_PIXELS.

    Raise TooLarge or Unprocessable, with its place, for an unreadable upload. All headers are read before any upload is
    decoded.
    """
    opened = [_open(upload, limits.max_pixels) for upload in uploads]
    pixels = sum(each.width * each.height for each in opened)
    if pixels > limits.max_request_pixels:
        most = limits.max_request_pixels
        raise TooLarge(f"The images have {pixels:,} pixels together; at most {most:,} are decoded.")
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
