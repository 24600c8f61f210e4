"""Turn uploaded images into pixels framed like the training set."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import NamedTuple, Protocol

from PIL import Image

from serving.gateway.errors import Fault, NotDecoded, TooLarge, Unprocessable, UnsupportedMediaType
from serving.gateway.imaging.decode import (
    LARGE,
    NotAnImage,
    TooManyPixels,
    UnreadFormat,
    most_frames,
    open_image,
    rasters,
)
from serving.gateway.imaging.digits import SIDE, read_digits
from serving.gateway.imaging.foreground import NoInk
from serving.gateway.imaging.framing import FRAMINGS, ImageFormat, framed_already
from serving.gateway.imaging.raster import Box, Raster

MOST_NAMED = 5  # marks whose boxes an error gives


class Heavy(Exception):
    """Images that take longer to read than their place allows."""


class Effort(NamedTuple):
    """The most work on a request's images in one place: bytes of its body and pixels to decode, else Heavy.

    Decoding ends at `until`, on the monotonic clock. `charge` is told the pixels before they are decoded.
    """

    body_bytes: float
    pixels: float
    until: float = math.inf
    charge: Callable[[int], None] = lambda pixels: None

    def charging(self, charge: Callable[[int], None]) -> "Effort":
        """Return the same effort with another `charge`."""
        return self._replace(charge=charge)


LEAST_PIXELS = 1024  # that an image counts for: opening and framing it takes time, too
LIGHT = Effort(32_768, 16_384)  # takes milliseconds, ten at most: work for an event loop
MEDIUM = Effort(math.inf, LARGE)
FULL = Effort(math.inf, math.inf)


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


class Framed(NamedTuple):
    """The framed pixels of a digit and its box in the upright picture, None for pixels that were framed before."""

    pixels: bytes
    box: Box | None


def frame_uploads(
    uploads: Sequence[Upload], image: ImageFormat, limits: PixelLimits, effort: Effort = FULL, split: bool = False
) -> list[list[Framed]]:
    """Return the digits of each upload, one of each unless `split`, from left to right.

    Raise Heavy where they have more pixels than `effort` allows. Raise TooLarge, Unprocessable or UnsupportedMediaType,
    with its place, for an unreadable upload. All headers are read before any upload is decoded.
    """
    if len(uploads) * LEAST_PIXELS > effort.pixels:
        raise Heavy
    opened = deque(_open(upload, limits.max_pixels) for upload in uploads)
    pixels = sum(each.width * each.height for each in opened)
    if pixels > limits.max_request_pixels:
        most = limits.max_request_pixels
        raise TooLarge(f"The images have {pixels:,} pixels together; at most {most:,} are decoded.")
    pixels = sum(max(each.width * each.height * most_frames(each), LEAST_PIXELS) for each in opened)
    if pixels > effort.pixels:
        raise Heavy
    effort.charge(pixels)
    # Each is forgotten before the next one is decoded: a large image takes 100 MB.
    return [_frame(upload.place, opened.popleft(), image, effort.until, split) for upload in uploads]


def late() -> NotDecoded:
    """Return the error for images that were not decoded in time."""
    return NotDecoded(
        "The images were not decoded in time (GATEWAY_DECODE_SECONDS); send smaller images, or fewer in one request."
    )


def unprocessable(place: str, detail: str) -> Unprocessable:
    """Return the error for what is wrong at `place`."""
    return Unprocessable(*_at(place, detail))


def _at(place: str, detail: str) -> tuple[str, list[Fault]]:
    return f"{place}: {detail}" if place else detail, [Fault(place, detail)]


def _open(upload: Upload, max_pixels: int) -> Image.Image:
    try:
        return open_image(upload.data, max_pixels)
    except NotAnImage as error:
        raise unprocessable(upload.place, str(error)) from error
    except UnreadFormat as error:
        raise UnsupportedMediaType(*_at(upload.place, str(error))) from error
    except TooManyPixels as error:
        raise TooLarge(str(error), [Fault(upload.place, str(error))]) from error


def _frame(place: str, opened: Image.Image, image: ImageFormat, until: float, split: bool) -> list[Framed]:
    if time.monotonic() > until:
        raise late()
    try:
        digits = _digits(opened, image)
    except NotAnImage as error:
        raise unprocessable(place, str(error)) from error
    except NoInk as error:
        raise unprocessable(place, "The image is blank: nothing on it stands out from its ground.") from error
    if len(digits) > 1 and not split:
        raise unprocessable(place, _several(digits))
    return digits


def _digits(opened: Image.Image, image: ImageFormat) -> list[Framed]:
    """Return the digits of the first frame that has ink; raise NoInk."""
    with closing(rasters(opened)) as frames:
        for raster in frames:
            with suppress(NoInk):
                return _framed(raster, image)
    raise NoInk


def _framed(raster: Raster, image: ImageFormat) -> list[Framed]:
    view, frame = raster.view(raster.whole, SIDE), FRAMINGS[image.framing]
    if view.levels.shape == (image.height, image.width, 1) and max(view.step) == 1:
        pixels = framed_already(view.levels)
        if pixels is not None:
            return [Framed(pixels.tobytes(), raster.whole)]
    digits = read_digits(raster, view)
    return [Framed(frame(digit, image.height, image.width).tobytes(), digit.box) for digit in digits]


def _several(digits: Sequence[Framed]) -> str:
    """Return the explanation that a picture shows several digits."""
    boxes = "; ".join(f"{box.width} × {box.height} at {box.x}, {box.y}" for _, box in digits[:MOST_NAMED] if box)
    more = "; …" if len(digits) > MOST_NAMED else ""
    return (
        f"The image has {len(digits)} separate large marks, not one digit (pixels from the top left: {boxes}{more}). "
        "Send one digit, or ask for each with ?split=true."
    )
