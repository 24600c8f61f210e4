"""Read pixels that come as numbers or as raw bytes, and tell those of another scale."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from serving.gateway.errors import Fault, TooLarge, Unprocessable
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.inference.tf_serving.client import PLAIN

LEVELS, UNIT = 255, 1  # full ink, as pixels are sent: in grey levels, or scaled to 1
AT_MOST_1 = b"\0\1"  # to be deleted: `strip` takes 5 times as long
REMEDY = f"Send 0…{LEVELS}, or add ?scale={UNIT}"
INK = 0.02, 0.6  # of a drawing's pixels: the least and the most
# Half of a float64 may look like a float32: the longer ones first.
FLOATS: dict[str, np.dtype] = {"float64": np.dtype("<f8"), "float32": np.dtype("<f4")}
MOST_BYTES = max(dtype.itemsize for dtype in FLOATS.values())  # of a pixel
# Bytes of grey levels look like floats of all magnitudes. Pixels' have few that are tiny and none that is large.
LARGEST, LEAST_LARGEST, TINY, MOST_TINY = 255.0, 0.5, 1 / 1024, 0.02


class Reading(NamedTuple):
    """The scale of pixels in lists and raw bytes, LEVELS or UNIT, and the signature that will be asked.

    With `split`, encoded images may show several digits.
    """

    scale: int = LEVELS
    signature: str = PLAIN
    split: bool = False


AS_SENT = Reading()


def read_octets(body: bytes, image: ImageFormat, scale: int, most: int) -> bytes:
    """Return the pixels of raw bytes, one a pixel; raise Unprocessable, which names the scale, for others.

    At scale UNIT they are bytes or little-endian floats of 0…1. Raise TooLarge where they cannot be those of `most`
    images.
    """
    largest = most * image.pixels * MOST_BYTES
    if len(body) > largest:
        raise TooLarge(f"The body has {len(body):,} bytes; at most {most:,} images are taken, of {largest:,} bytes.")
    for name, dtype in FLOATS.items():
        if body and len(body) % (dtype.itemsize * image.pixels) == 0:
            values = np.frombuffer(body, dtype)
            if _look_like_pixels(values):
                return _of_floats(values, name, scale)
    if not body or len(body) % image.pixels:
        raise Unprocessable(
            f"The body has {len(body):,} bytes; images of {image.height} × {image.width} pixels take a multiple of "
            f"{image.pixels} bytes, at least one."
        )
    if scale == UNIT:
        if above := body.translate(None, AT_MOST_1):
            highest = np.frombuffer(above, np.uint8).max()
            raise Unprocessable(f"The body has bytes up to {highest}; ?scale={UNIT} takes pixels of 0…1.")
        return body.replace(b"\1", b"\xff")
    if is_scaled(body):
        raise Unprocessable(f"No byte of the body is above 1: the pixels look scaled to 0…1. {REMEDY}.")
    return body


def is_scaled(pixels: bytes) -> bool:
    """Say whether pixels are 0 and 1 alone, with as many 1 as drawings have ink."""
    return not pixels.translate(None, AT_MOST_1) and INK[0] * len(pixels) <= pixels.count(1) <= INK[1] * len(pixels)


def check_scale(images: list[bytes], place: str) -> None:
    """Raise Unprocessable where all images together look scaled to 0…1."""
    if images and not images[0].translate(None, AT_MOST_1) and is_scaled(b"".join(images)):
        detail = f"No pixel is above 1: the pixels look scaled to 0…1. {REMEDY}"
        raise Unprocessable(f"{place}: {detail}.", [Fault(place, detail)])


def from_unit(values: NDArray) -> bytes:
    """Return values of 0…1 as grey levels."""
    return np.rint(values * float(LEVELS)).astype(np.uint8).tobytes()


def _look_like_pixels(values: NDArray) -> bool:
    """Say whether bytes, seen as floats, may be the pixels of images: of 0…1, 0…255, or centred."""
    if not LEAST_LARGEST <= max(values.max(), -values.min()) <= LARGEST:  # not a number fails, too
        return False
    ink = np.abs(values[values != 0])
    return int(np.count_nonzero(ink < TINY)) <= MOST_TINY * len(ink)


def _of_floats(values: NDArray, name: str, scale: int) -> bytes:
    low, high = float(values.min()), float(values.max())
    unit = low >= 0 and high <= 1
    if unit and scale == UNIT:
        return from_unit(values)
    span = f"0…{1 if unit else LEVELS}" if low >= 0 else f"{low:.3g}…{high:.3g}"
    remedy = f", or add ?scale={UNIT}" if unit else ""
    raise Unprocessable(f"The body looks like {name} pixels of {span}. Send a byte a pixel, 0…{LEVELS}{remedy}.")
