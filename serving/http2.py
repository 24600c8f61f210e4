"""Frames and header blocks of HTTP/2 (RFC 9113, 7541), as both ends of gRPC send them here.

Headers travel without the compression's dynamic table: the same headers are the same bytes, which are encoded and
decoded once.
"""

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from hpack import Decoder, Encoder, HPACKError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITIES, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)  # kinds of frames
END_STREAM = ACK = 1
END_HEADERS, PADDED, PRIORITY = 4, 8, 32
TABLE_SIZE, ENABLE_PUSH, STREAMS, FIRST_WINDOW, FRAME_BYTES, HEADER_BYTES = range(1, 7)  # settings
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 3
FRAME_SIZE_ERROR, REFUSED, CANCEL, COMPRESSION_ERROR, CALM = 6, 7, 8, 9, 11
CONNECTION = 0  # the stream that is the connection itself
FRAME_HEAD = 9  # bytes
DEFAULT_FRAME, LARGEST_FRAME = 2**14, 2**24 - 1  # bytes
DEFAULT_WINDOW, LARGEST_WINDOW = 2**16 - 1, 2**31 - 1  # bytes
LAST_STREAM = 2**31 - 1
MOST_HEADER_BYTES = 2**16
NO_TABLE = b"\x20"  # begins the first header block of a connection that will use no dynamic table


class Malformed(Exception):
    """What came is not HTTP/2; `code` is the protocol's own for what is wrong."""

    def __init__(self, detail: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(detail)
        self.code = code


class Frame(NamedTuple):
    """One frame that came."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    def content(self) -> bytes:
        """Return the payload of DATA or HEADERS without padding and priority; raise Malformed."""
        start, end = 0, len(self.payload)
        if self.flags & PADDED:
            start, end = 1, end - self.payload[0] if self.payload else 0
        if self.kind == HEADERS and self.flags & PRIORITY:
            start += 5
        if start > end:
            raise Malformed(f"a frame of {len(self.payload)} bytes has more padding than that")
        return self.payload[start:end] if start else self.payload


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return one frame, to be sent."""
    return _head(kind, flags, stream, len(payload)) + payload


def settings(values: Iterable[tuple[int, int]]) -> bytes:
    """Return the frame that says them."""
    return frame(SETTINGS, 0, CONNECTION, b"".join(struct.pack(">HI", *value) for value in values))


def data_frames(stream: int, body: memoryview, most: int, flags: int) -> list[bytes | memoryview]:
    """Return a body that is not empty in frames of `most` bytes, the last of which has the flags.

    They are in pieces, head and payload in turn, so that nothing is copied here.
    """
    pieces: list[bytes | memoryview] = []
    for at in range(0, len(body), most):
        payload = body[at : at + most]
        pieces += (_head(DATA, flags if at + most >= len(body) else 0, stream, len(payload)), payload)
    return pieces


def _head(kind: int, flags: int, stream: int, size: int) -> bytes:
    return struct.pack(">HBBBI", size >> 8, size & 255, kind, flags, stream)


def split(received: bytes, most: int = DEFAULT_FRAME) -> tuple[list[Frame], bytes]:
    """Return the whole frames of what has come, and the rest; raise Malformed for one of more than `most` bytes."""
    found, at, end = [], 0, len(received)
    while end - at >= FRAME_HEAD:
        high, low, kind, flags, stream = struct.unpack_from(">HBBBI", received, at)
        size = high << 8 | low
        if size > most:
            raise Malformed(f"a frame of {size} bytes came where {most} are taken", FRAME_SIZE_ERROR)
        if (after := at + FRAME_HEAD + size) > end:
            break
        found.append(Frame(kind, flags, stream & LAST_STREAM, received[at + FRAME_HEAD : after]))
        at = after
    return found, received[at:]


@lru_cache(256)
def encode(headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return a header block, to be sent as it is or behind another one."""
    # What must never be indexed leaves the table as it is, here and there.
    return Encoder().encode([(name, value, True) for name, value in headers], huffman=False)


@lru_cache(256)
def decode(block: bytes) -> dict[str, str]:
    """Return the headers of a block that uses no dynamic table; raise Malformed if there are none in it."""
    decoder = Decoder(MOST_HEADER_BYTES)
    decoder.max_allowed_table_size = decoder.header_table_size = 0
    return decoded(decoder, block)


def decoded(decoder: Decoder, block: bytes) -> dict[str, str]:
    """Return the headers of a block by the connection's decoder; raise Malformed."""
    try:
        return {str(name): str(value) for name, value in decoder.decode(block)}
    except (HPACKError, UnicodeDecodeError) as error:
        raise Malformed(f"a header block cannot be read: {error!r}", COMPRESSION_ERROR) from error
