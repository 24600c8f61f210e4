"""A server of gRPC's unary calls, on an event loop and a thread of its own, in place of grpcio's.

Around a small call that one takes three times the processor time. One thread reads and writes for all connections;
what takes long is done elsewhere, so no thread waits with each call for its batch.
"""

import asyncio
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import uvloop
from google.protobuf.message import DecodeError, Message
from grpc import StatusCode

from serving.http2 import encode
from serving.model_server.errors import ServingError
from serving.model_server.rpc.http2_server import MOST_STREAMS, Connection
from serving.model_server.rpc.http2_stream import Stream
from serving.model_server.rpc.mailbox import Mailbox

AnyMessage = TypeVar("AnyMessage", bound=Message)

PREFIX = 5  # bytes before a message: whether it is compressed, and its length
WINDOW_BITS = {"gzip": 31, "deflate": 15}  # zlib's names of these formats
HEAD = encode((
    (":status", "200"), ("content-type", "application/grpc"), ("grpc-accept-encoding", "identity,deflate,gzip"),
))  # fmt: skip
DONE = encode((("grpc-status", "0"),))
NOT_GRPC = encode(((":status", "415"), ("content-length", "0")))
PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")  # what gRPC leaves as it is in a status' message
MOST_DETAIL = 2000  # characters of such a message, which has to fit in what clients take of headers
UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}  # seconds
BACKLOG = 128  # connections that wait to be accepted


@dataclass(frozen=True)
class Limits:
    """What is taken of a client."""

    message_bytes: int
    streams: int = MOST_STREAMS  # on a connection at a time
    age_seconds: float | None = None  # after which a connection takes no more calls


class Call:
    """One call whose request has come; its methods may be called in any thread."""

    def __init__(self, mailbox: Mailbox, stream: Stream, message: bytes) -> None:
        self._mailbox = mailbox
        self._stream = stream
        self._message = message
        timeout = stream.headers.get("grpc-timeout")
        self._until = None if timeout is None else time.monotonic() + _seconds(timeout)

    def request(self, kind: type[AnyMessage]) -> AnyMessage:
        """Return the request; raise ServingError where the bytes are none of that kind."""
        try:
            return kind.FromString(self._message)
        except DecodeError as error:
            raise ServingError(StatusCode.INTERNAL, f"The message is no {kind.DESCRIPTOR.full_name}.") from error

    def seconds_left(self) -> float | None:
        """Return the seconds until the client's deadline, None without one; raise ServingError if it has passed."""
        if self._until is None:
            return None
        if (left := self._until - time.monotonic()) <= 0:
            raise ServingError(StatusCode.DEADLINE_EXCEEDED, "The deadline passed before the call's turn came.")
        return left

    @property
    def gone(self) -> bool:
        """Whether nobody waits for the answer."""
        return self._stream.closed

    def when_gone(self, action: Callable[[], None]) -> None:
        """Have `action` called in the event loop's thread, where this is called, when nobody waits any more."""
        self._stream.on_closed = action

    def reply(self, answer: Message) -> None:
        """Send the answer."""
        body = _prefixed(answer)
        self._mailbox.post(self._stream.send, HEAD, body, DONE)

    def fail(self, error: ServingError) -> None:
        """End the call with an error."""
        self._mailbox.post(_fail, self._stream, error)

    def tell(self, answer: Message) -> None:
        """Send one of many answers, the first of them; in the event loop's thread."""
        self._stream.begin(HEAD)
        self._stream.more(_prefixed(answer))


Handler = Callable[[Call], object]


class GrpcServer:
    """A server whose methods may be called from any thread."""

    def __init__(self, methods: Mapping[str, Handler], limits: Limits) -> None:
        """Prepare to answer the calls of `methods`, by path; a handler is called in the event loop's thread."""
        self._methods = methods
        self._limits = limits
        self._loop = uvloop.new_event_loop()
        self._mailbox = Mailbox(self._loop)
        self._listening: list[asyncio.AbstractServer] = []
        self._sockets: list[str] = []  # paths
        self._connections: set[Connection] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="grpc")
        self._thread.start()

    def listen(self, address: str) -> None:
        """Answer calls at `host:port` or `unix:PATH`; raise OSError where that cannot be."""
        self._run(self._listen(address)).result()

    def stop(self, grace: float) -> "Future[None]":
        """Take no more calls, and end once those under way have, or after `grace` seconds; the result tells when."""
        return self._run(self._stop(grace))

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self, address: str) -> None:
        kind, _, path = address.partition(":")
        if kind == "unix":
            self._listening.append(await self._loop.create_unix_server(self._connection, path, backlog=BACKLOG))
            self._sockets.append(path)
        else:
            host, _, port = address.rpartition(":")
            self._listening.append(
                await self._loop.create_server(self._connection, host.strip("[]"), int(port), backlog=BACKLOG)
            )

    def _connection(self) -> Connection:
        limits = self._limits
        most_bytes = 2 * (PREFIX + limits.message_bytes)
        return Connection(self._take, self._connections, limits.streams, most_bytes, limits.age_seconds)

    async def _stop(self, grace: float) -> None:
        for server in self._listening:
            server.close()
        for path in self._sockets:
            with suppress(FileNotFoundError):
                os.unlink(path)
        ended = [connection.ended for connection in self._connections]
        for connection in list(self._connections):
            connection.leave()
        if ended:
            await asyncio.wait(ended, timeout=grace)
        for connection in list(self._connections):
            connection.abort()
        await asyncio.gather(*ended)

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> "Future[None]":
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _take(self, stream: Stream) -> None:
        """Take what has come of a request, and have it answered when all has."""
        length = int.from_bytes(stream.first(PREFIX)[1:]) if stream.size >= PREFIX else 0
        most = self._limits.message_bytes
        if max(length, stream.size - PREFIX) > most:
            _fail(stream, ServingError(StatusCode.RESOURCE_EXHAUSTED, f"The message has more than {most:,} bytes."))
        elif stream.whole:
            try:
                self._answer(stream)
            except ServingError as error:
                _fail(stream, error)

    def _answer(self, stream: Stream) -> None:
        headers = stream.headers
        if not headers.get("content-type", "").startswith("application/grpc") or headers.get(":method") != "POST":
            stream.end(NOT_GRPC)
            return
        path = headers.get(":path", "")
        if (handler := self._methods.get(path)) is None:
            raise ServingError(StatusCode.UNIMPLEMENTED, f"There is no method {path}.")
        handler(Call(self._mailbox, stream, _message(stream, self._limits.message_bytes)))


def _message(stream: Stream, most: int) -> bytes:
    """Return the one message of a request, and free what it came in; raise ServingError."""
    compressed, length = struct.unpack(">?I", stream.first(PREFIX)) if stream.size >= PREFIX else (False, -1)
    if length != stream.size - PREFIX:
        raise ServingError(StatusCode.INTERNAL, f"The call's {stream.size} bytes are not one message.")
    message = stream.body(PREFIX)
    return _decompressed(message, stream.headers.get("grpc-encoding", "identity"), most) if compressed else message


def _decompressed(message: bytes, encoding: str, most: int) -> bytes:
    if encoding not in WINDOW_BITS:
        raise ServingError(StatusCode.UNIMPLEMENTED, f"grpc-encoding {encoding!r} is not read; send gzip or deflate.")
    inflater = zlib.decompressobj(WINDOW_BITS[encoding])
    try:
        inflated = inflater.decompress(message, most + 1)
    except zlib.error as error:
        raise ServingError(StatusCode.INTERNAL, f"The message is not {encoding}: {error}.") from error
    if len(inflated) > most:
        raise ServingError(StatusCode.RESOURCE_EXHAUSTED, f"The message has more than {most:,} bytes.")
    if not inflater.eof:
        raise ServingError(StatusCode.INTERNAL, f"The message, {encoding}, has no end.")
    return inflated


def _seconds(text: str) -> float:
    """Return what `grpc-timeout` says; raise ServingError."""
    digits, unit = text[:-1], text[-1:]
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 8 and unit in UNITS):
        raise ServingError(StatusCode.INTERNAL, f"grpc-timeout {text!r} is not a number of H, M, S, m, u or n.")
    return int(digits) * UNITS[unit]


def _prefixed(message: Message) -> bytes:
    body = message.SerializeToString()
    return struct.pack(">?I", False, len(body)) + body


def _fail(stream: Stream, error: ServingError) -> None:
    """End a call with an error, before anything of an answer has been sent."""
    detail = quote(error.message[:MOST_DETAIL], safe=PRINTABLE)
    stream.end(HEAD + encode((("grpc-status", str(error.code.value[0])), ("grpc-message", detail))))
