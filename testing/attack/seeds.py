"""Small proper images of every format and mode, for mutations to begin with."""

import numpy as np
from PIL import Image

from testing.encoded import drawn, encode

SIDE = 40


def seeds() -> list[bytes]:
    """Return the files."""
    return [*_png(), *_jpeg(), *_webp(), *_gif(), *_bmp()]


def _digit(number: int) -> Image.Image:
    return drawn(number).resize((SIDE, SIDE + 4))


def _frames() -> list[Image.Image]:
    return [_digit(number) for number in range(4)]


def _png() -> list[bytes]:
    grey, levels = _digit(1), np.asarray(_digit(2)).astype(np.uint16) * 257
    palette = grey.convert("RGB").quantize(8)
    return [
        encode(grey),
        encode(grey.convert("1")),
        encode(grey.convert("RGB"), dpi=(72, 72), exif=_exif()),
        encode(grey.convert("RGBA")),
        encode(grey.convert("LA")),
        encode(palette, transparency=0, bits=4),
        encode(Image.fromarray(levels)),
        encode(Image.fromarray(levels // 257)),
        encode(grey, save_all=True, append_images=_frames()),
        encode(grey, icc_profile=bytes(200)),
    ]


def _jpeg() -> list[bytes]:
    grey = _digit(3)
    colour = grey.convert("RGB")
    return [
        encode(grey, "JPEG"),
        encode(colour, "JPEG", progressive=True, exif=_exif()),
        encode(colour, "JPEG", subsampling=2, comment=b"a comment"),
        encode(grey.convert("CMYK"), "JPEG"),
        encode(colour, "JPEG", icc_profile=bytes(70_000), restart_marker_rows=1),
        encode(colour, "JPEG", progressive=True)[:-2],
        encode(grey, "JPEG")[:-1] + b"\0\0\0\x18ftypmp42",
        encode(grey, "MPO", save_all=True, append_images=_frames()),
    ]


def _webp() -> list[bytes]:
    colour = _digit(4).convert("RGB")
    return [
        encode(colour, "WEBP"),
        encode(colour, "WEBP", lossless=True),
        encode(colour.convert("RGBA"), "WEBP", exif=_exif(), icc_profile=bytes(200)),
        encode(colour, "WEBP", save_all=True, append_images=_frames(), duration=20),
    ]


def _gif() -> list[bytes]:
    grey = _digit(5)
    return [
        encode(grey, "GIF"),
        encode(grey.convert("P"), "GIF", transparency=0, interlace=1, comment=b"a comment"),
        encode(grey, "GIF", save_all=True, append_images=_frames(), loop=0),
    ]


def _bmp() -> list[bytes]:
    grey = _digit(6)
    return [encode(grey.convert(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")]


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    exif[0x010E] = "described"
    return exif
