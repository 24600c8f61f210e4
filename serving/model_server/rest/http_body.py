"""The body of an HTTP request, read within limits: how long it may be, and what it may unpack to."""

import re
import zlib
from email.message import Message
from io import BufferedIOBase

_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")
_LINE = 100


class Refused(Exception):
    """A request whose body is not read to its end; the connection closes with the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def read_body(headers: Message, file: BufferedIOBase, limit: int) -> bytes:
    """Return the body that `headers` announce, unpacked, of at most `limit` bytes; raise `Refused` for any other."""
    encoding = headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip", "deflate"):
        raise Refused(415, f"Content-Encoding {encoding!r} is not supported; send gzip, deflate or none")
    body = _chunked(headers, file, limit) if "Transfer-Encoding" in headers else _sized(headers, file, limit)
    return body if encoding == "identity" else _unpack(body, limit)


def _sized(headers: Message, file: BufferedIOBase, limit: int) -> bytes:
    text = headers.get("Content-Length", "0")
    if not (text.isascii() and text.isdigit()):
        raise Refused(400, f"Content-Length {text!r} is not a number")
    size = int(text[:20])
    _check(size, limit)
    body = file.read(size)
    if len(body) < size:
        raise Refused(400, f"The body ends after {len(body)} of {size} bytes")
    return body


def _chunked(headers: Message, file: BufferedIOBase, limit: int) -> bytes:
    if headers["Transfer-Encoding"].lower() != "chunked" or "Content-Length" in headers:
        raise Refused(400, "Transfer-Encoding must be 'chunked', and no Content-Length with it")
    body = bytearray()
    while size := _chunk_size(file):
        _check(len(body) + size, limit)
        body += file.read(size)
        if file.readline(3).strip():
            raise Refused(400, "A chunk of the body is longer than it says")
    for _ in range(_LINE):  # trailers, which nobody asked for
        if not file.readline(_LINE).strip():
            return bytes(body)
    raise Refused(400, "The body has too many trailers")


def _chunk_size(file: BufferedIOBase) -> int:
    text = file.readline(_LINE).partition(b";")[0].strip()
    if not _CHUNK_SIZE.fullmatch(text):
        raise Refused(400, f"A chunk of the body has the size {text[:20].decode(errors='replace')!r}")
    return int(text, 16)


def _unpack(body: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: find out whether it is gzip or deflate
    try:
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refused(400, f"The body does not unpack: {error}") from error
    _check(len(unpacked), limit)
    if not unpacker.eof:
        raise Refused(400, "The packed body ends too early")
    return unpacked


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise Refused(413, f"A body may have {limit} bytes; this one has more")
