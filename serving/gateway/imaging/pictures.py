"""Show people the pixels that the models see."""

import base64
from io import BytesIO

from PIL import Image

from serving.gateway.imaging.framing import ImageFormat


def data_url(pixels: bytes, image: ImageFormat) -> str:
    """Return one image's pixels as the data URL of a PNG file."""
    file = BytesIO()
    Image.frombytes("L", (image.width, image.height), pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
