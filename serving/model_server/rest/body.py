"""The body of an HTTP request within limits: its time, its length, and its length after decompression."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

BODY_SECONDS = 60.0
LINGER_SECONDS = 2.0


class Refused(Exception):
    """A body that breaks a limit or a rule."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Disconnected(Exception):
    """The client left before its request was complete."""


async def read_body(headers: Iterable[tuple[bytes, bytes]], receive: Receive, limit: int) -> tuple[bytes, str]:
    """Return the body, still packed, and its encoding; raise `Refused` beyond `limit` bytes, `Disconnected`."""
    values = dict(headers)
    encoding = values.get(b"content-encoding", b"identity").decode("latin-1").lower()
    if encoding not in ("identity", "gzip", "deflate"):
        raise Refused(415, f"Content-Encoding {encoding!r} is not supported; send gzip, deflate or none")
    _check(int(values.get(b"content-length", b"0")), limit)  # h11 lets only digits through
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                body += message["body"]
                _check(len(body), limit)
                more = message["more_body"]
    except TimeoutError as error:
        raise Refused(408, f"The body did not come within {BODY_SECONDS:.0f} seconds") from error
    return bytes(body), encoding


async def discard_body(receive: Receive) -> None:
    """Let the rest of a refused body come in for a while, so that its sender does not lose the answer to a reset."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while (await receive()).get("more_body"):
                pass


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the body without its encoding; raise `Refused` where it is damaged or larger than `limit` bytes."""
    if encoding == "identity":
        return body
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: detect gzip and deflate
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
