"""Leave out of PNG files what is small in them and large in memory."""

from collections.abc import Iterator

START = b"\x89PNG\r\n\x1a\n"
TEXT, INTERNATIONAL, PROFILE = b"zTXt", b"iTXt", b"iCCP"  # types of chunks that hold compressed metadata
AROUND = 12  # bytes of a chunk beside its data: length, type and checksum


def without_compressed_metadata(data: bytes) -> bytes:
    """Return a PNG file without its compressed texts and profile; Pillow would keep megabytes for each kilobyte."""
    if not any(kind in data for kind in (TEXT, INTERNATIONAL, PROFILE)):
        return data
    return b"".join(_kept(data))


def _kept(data: bytes) -> Iterator[bytes]:
    start = at = len(START)
    yield data[:start]
    while at < len(data):
        end = at + AROUND + int.from_bytes(data[at : at + 4])
        if _is_compressed(data[at + 4 : at + 8], data, at + 8):
            yield data[start:at]
            start = end
        at = end
    yield data[start:]


def _is_compressed(kind: bytes, data: bytes, at: int) -> bool:
    """Say whether a chunk of a type, with its data from `at` on, is compressed metadata."""
    if kind != INTERNATIONAL:
        return kind in (TEXT, PROFILE)
    keyword = data.find(b"\0", at)
    return data[keyword + 1 : keyword + 2] == b"\1"
