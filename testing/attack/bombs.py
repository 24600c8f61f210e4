"""Small files that cost much to decode: in pixels, frames, metadata or time."""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from testing.attack.mutations import png, png_chunks
from testing.encoded import drawn, encode

MOST_PIXELS = 25_000_000
FRAMES = 2000


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yield each with its name."""
    small = drawn(7).resize((40, 44))
    for name, side in (("largest", 5000), ("too large", 5001), ("much too large", 65_535), ("larger", 2**31 - 1)):
        yield f"PNG, {name}", _png_of(side, min(side, 5000))
    yield "PNG of one long row", _png_of(MOST_PIXELS, 1)
    chunks = png_chunks(encode(small))
    blown_up = zlib.compress(bytes(60_000_000), 9)  # 60 MB in 58 kB
    text = b"Comment\0\0" + blown_up
    for kind, body in ((b"zTXt", text), (b"iCCP", text), (b"iTXt", b"Comment\0\1\0\0\0" + blown_up)):
        yield f"PNG, {kind.decode()}", png([*chunks[:1], (kind, body), *chunks[1:]])
        yield f"PNG, many {kind.decode()}", png([*chunks[:1], *[(kind, body)] * 20, *chunks[1:]])
    yield "PNG, long text", png([*chunks[:1], (b"tEXt", b"Comment\0" + bytes(4_000_000)), *chunks[1:]])
    yield "PNG, 50,000 empty chunks", png([*chunks[:1], *[(b"IDAT", b"")] * 50_000, *chunks[1:]])
    yield "PNG, more pixels than it says", png([chunks[0], (b"IDAT", blown_up), (b"IEND", b"")])
    for format in ("PNG", "GIF", "WEBP"):
        frames = [small.rotate(turn % 360) for turn in range(FRAMES // 4)]
        yield f"{format} of many frames", encode(small, format, save_all=True, append_images=frames)
    yield "GIF of a large screen", _patched(encode(small, "GIF"), 6, struct.pack("<HH", 65_535, 65_535))
    yield "GIF of a large frame", _gif_frame(small)
    yield "BMP, too large", _patched(encode(small, "BMP"), 18, struct.pack("<ii", 2**31 - 1, -(2**31)))
    yield "BMP, largest, without its pixels", _patched(encode(small, "BMP"), 18, struct.pack("<ii", 5000, 5000))
    jpeg = encode(small, "JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    yield "JPEG, too large", _patched(jpeg, at, struct.pack(">HH", 65_535, 65_535))
    yield "JPEG, largest, without its pixels", _patched(jpeg, at, struct.pack(">HH", 5000, 5000))
    large = Image.new("RGB", (5000, 5000), "white")
    large.paste(drawn(7), (2000, 2000))
    yield "JPEG, largest, progressive", encode(large, "JPEG", progressive=True, quality=5)
    yield "JPEG, 8 MB of EXIF", jpeg[:2] + (b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)) * 100 + jpeg[2:]
    yield "JPEG, 100 pieces of a profile", jpeg[:2] + b"".join(map(_profile, range(1, 101))) + jpeg[2:]
    yield "JPEG of many comments", jpeg[:2] + b"\xff\xfe\0\2" * 500_000 + jpeg[2:]
    yield "JPEG of many scans", jpeg[:-2] + jpeg[jpeg.index(b"\xff\xda") : -2] * 99 + jpeg[-2:]
    yield "WEBP, largest", encode(large, "WEBP", quality=1)
    yield "WEBP, largest, lossless", encode(large, "WEBP", lossless=True)


def _png_of(width: int, height: int) -> bytes:
    """Return a white PNG of `width` × `height`, without its rows where it exceeds MOST_PIXELS."""
    header = struct.pack(">II5B", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\xff" * width) * height if width * height <= MOST_PIXELS else b""
    return png([(b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")])


def _patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _gif_frame(image: Image.Image) -> bytes:
    data = encode(image, "GIF")
    return _patched(data, data.index(b"\x2c\0\0\0\0") + 5, struct.pack("<HH", 5000, 5000))


def _profile(number: int) -> bytes:
    body = b"ICC_PROFILE\0" + bytes((number, 100)) + bytes(60_000)
    return b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body
