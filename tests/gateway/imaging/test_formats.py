import numpy as np
import pytest
from PIL import Image

from serving.gateway.imaging.decode import FORMATS
from serving.gateway.imaging.formats import is_read, unread_format
from testing.encoded import drawn, encode


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_read_is_known_by_its_content(format: str) -> None:
    data = encode(drawn(3), format)
    assert is_read(data)
    assert unread_format(data) is None


@pytest.mark.parametrize("format", ["AVIF", "TIFF", "PDF"])
def test_what_pillow_writes_and_the_gateway_does_not_read_is_named(format: str) -> None:
    data = encode(Image.new("L", (16, 16)), format)
    assert unread_format(data) == format
    assert not is_read(data)


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x20ftypmif1\0\0\0\0mif1heicmiaf", "HEIC"),
        (b"\0\0\0\x20ftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x20ftypavis\0\0\0\0", "AVIF"),
        (b"\0\0\0\x18ftypqt  \0\0\0\0", "MP4 or QuickTime"),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a digit -->\n<svg/>', "SVG"),
    ],
)
def test_a_known_format_is_named(data: bytes, format: str) -> None:
    assert unread_format(data) == format


@pytest.mark.parametrize(
    "data", [b"", b"BM", b"\xff\xd8\xff", b"<html>", b"GIF", *(bytes([level]) * 784 for level in range(256))]
)
def test_pixels_and_texts_are_no_files(data: bytes) -> None:
    assert not is_read(data)
    assert unread_format(data) is None


def test_random_pixels_are_no_files() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (100_000, 16), np.uint8)
    pixels[:, :2] = list(b"BM")
    assert not any(is_read(row.tobytes()) for row in pixels)
