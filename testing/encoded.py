"""Images for the tests, as arrays and as files."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from serving.gateway.imaging.decode import WORKING_SIDE, open_image, rasters
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.uploads import Upload, frame_uploads
from serving.gateway.settings import Settings

MOST_PIXELS = 25_000_000
SETTINGS = Settings.from_environ({})


def drawn(label: int) -> Image.Image:
    """Return a large printed digit, black on white without greys, as digits were before MNIST framed them."""
    sheet = Image.new("1", (200, 220), 1)
    ImageDraw.Draw(sheet).text((50, 10), str(label), 0, ImageFont.load_default(160), stroke_width=4)
    return sheet.convert("L")


def encode(image: Image.Image | np.ndarray, format: str = "PNG", **options: Any) -> bytes:
    """Return an image as a file's bytes."""
    file = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, format, **options)
    return file.getvalue()


def levels(data: bytes) -> np.ndarray:
    """Return the levels of an encoded image as it is looked at first, `[h, w, channels]`."""
    raster = next(rasters(open_image(data, MOST_PIXELS)))
    return raster.view(raster.whole, WORKING_SIDE).levels


def framed(data: bytes, height: int = 28, width: int = 28) -> np.ndarray:
    """Return the digit of an encoded image as the models see it, uint8 `[height, width]`."""
    format = ImageFormat(height=height, width=width, framing="mnist")
    [[digit]] = frame_uploads([Upload("", data)], format, SETTINGS)
    return np.frombuffer(digit.pixels, np.uint8).reshape(height, width)
