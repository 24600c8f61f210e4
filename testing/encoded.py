"""Images for the tests, as arrays and as files."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont


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
