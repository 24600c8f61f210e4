"""Unary gRPC calls of one server (gRPC over HTTP/2), made by whoever waits for them: a thread, or a greenlet."""

import struct
import time
from collections import deque
from collections.abc import Sequence
from types import ModuleType
from typing import Any
from urllib.parse import unquote

from serving.gateway.inference.tf_serving.connection import Broken, Connection, Reset, Response, TooLarge, seconds_until
from serving.gateway.waits import Waits
from serving.http2 import encode

STATUSES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
# What gRPC's specification has HTTP's statuses and HTTP/2's errors mean, where there is no status of gRPC's own.
OF_HTTP = {"400": "INTERNAL", "401": "UNAUTHENTICATED", "403": "PERMISSION_DENIED", "404": "UNIMPLEMENTED",
           "429": "UNAVAILABLE", "502": "UNAVAILABLE", "503": "UNAVAILABLE", "504": "UNAVAILABLE"}  # fmt: skip
OF_RESET = {7: "UNAVAILABLE", 8: "CANCELLED", 11: "RESOURCE_EXHAUSTED", 12: "PERMISSION_DENIED"}
MOST_BYTES = 64 * 2**20  # of an answer
MOST_MILLISECONDS = 99_999_999  # that `grpc-timeout` can say
CONNECT_SECONDS = 1.0  # that one attempt to connect may take
SEND_BYTES = 2**20  # that a Unix socket takes at once, as far as the system allows: a thousand images go in one piece
MOST_IDLE = 16  # connections that are kept

NO_ANSWER = "there was no answer within the deadline"

Metadata = tuple[tuple[str, str], ...]


class CallFailed(Exception):
    """A call that has no answer: the name of gRPC's status, and what was said of it."""

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class Channel:
    """Makes calls of one server; connections are made when they are needed, so after any fork, and kept."""

    def __init__(self, address: str, waits: Waits) -> None:
        """Prepare for the server at `address`: `host:port`, `[address]:port` or `unix:/path`."""
        self._address = parse_address(address)
        self._waits = waits
        authority = "localhost" if isinstance(self._address, str) else address
        self._head = (
            (":method", "POST"), (":scheme", "http"), (":authority", authority), ("te", "trailers"),
            ("content-type", "application/grpc"), ("user-agent", "dropserve"),
        )  # fmt: skip
        # By whose sockets they are: greenlets have other ones than threads.
        self._idle: dict[ModuleType, deque[Connection]] = {}

    def call(self, method: str, message: Sequence[bytes], timeout: float, metadata: Metadata = ()) -> bytes:
        """Return the server's answer to a message in pieces; raise CallFailed if none comes within `timeout` seconds.

        A call of a server that was not there is made once more: so `method` may change nothing.
        """
        sockets = self._waits.way.sockets()
        idle = self._idle.setdefault(sockets, deque())
        until = time.monotonic() + timeout
        head = encode(((":path", method), *self._head))
        body = b"".join((b"\0", struct.pack(">I", sum(map(len, message))), *message))
        try:
            return self._attempt(sockets, idle, head, body, until, metadata)
        except CallFailed as error:
            if error.status != "UNAVAILABLE":
                raise
        _close(idle)  # the other connections will be broken too
        return self._attempt(sockets, idle, head, body, until, metadata)

    def close(self) -> None:
        """Close the connections on which nothing is under way."""
        for idle in self._idle.values():
            _close(idle)

    def _attempt(
        self, sockets: Any, idle: deque[Connection], head: bytes, body: bytes, until: float, metadata: Metadata
    ) -> bytes:
        try:
            return _message(self._exchange(sockets, idle, head, body, until, metadata))
        except TimeoutError:
            raise CallFailed("DEADLINE_EXCEEDED", NO_ANSWER) from None
        except Broken as error:
            raise CallFailed("UNAVAILABLE", str(error)) from error
        except Reset as error:
            if time.monotonic() >= until:  # the server, which knows the deadline too, was quicker to tell
                raise CallFailed("DEADLINE_EXCEEDED", NO_ANSWER) from error
            raise CallFailed(OF_RESET.get(error.code, "INTERNAL"), str(error)) from error
        except TooLarge as error:
            raise CallFailed("INTERNAL", f"the answer has more than {MOST_BYTES} bytes") from error

    def _exchange(
        self, sockets: Any, idle: deque[Connection], head: bytes, body: bytes, until: float, metadata: Metadata
    ) -> Response:
        try:
            connection = idle.pop()
        except IndexError:
            connection = Connection(self._connect(sockets, until))
        try:
            # Never less than there is: the server that gives up at the deadline does so after this side.
            milliseconds = min(int((until - time.monotonic()) * 1000) + 1, MOST_MILLISECONDS)
            head += encode((("grpc-timeout", f"{milliseconds}m"), *metadata))
            response = connection.request(head, body, MOST_BYTES, until)
        except BaseException:
            connection.close()
            raise
        if connection.usable and len(idle) < MOST_IDLE:
            idle.append(connection)
        else:
            connection.close()
        return response

    def _connect(self, sockets: Any, until: float) -> Any:
        """Return a new socket, of the module `sockets`, that is connected to the server."""
        seconds = min(seconds_until(until), CONNECT_SECONDS)
        try:
            return _connected(sockets, self._address, seconds)
        except OSError as error:
            raise Broken(f"connecting failed: {error}") from error


def parse_address(text: str) -> tuple[str, int] | str:
    """Return host and port of `host:port` or `[address]:port`, or the path of `unix:/path`; raise ValueError."""
    kind, _, path = text.partition(":")
    if kind == "unix" and path:
        return path
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdecimal() and 0 < int(port) < 2**16):
        raise ValueError(text)
    return host.removeprefix("[").removesuffix("]"), int(port)


def _connected(sockets: Any, address: tuple[str, int] | str, seconds: float) -> Any:
    if isinstance(address, tuple):
        connected = sockets.create_connection(address, seconds)
        connected.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        return connected
    connected = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        connected.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, SEND_BYTES)
        connected.settimeout(seconds)
        connected.connect(address)
    except BaseException:
        connected.close()
        raise
    return connected


def _message(response: Response) -> bytes:
    """Return the message in a response; raise CallFailed if there is none."""
    status = response.headers.get("grpc-status")
    if status is None:
        of_http = response.headers.get(":status", "")
        raise CallFailed(OF_HTTP.get(of_http, "UNKNOWN"), f"an answer of HTTP's, of status {of_http}, not of gRPC's")
    if status != "0":
        name = STATUSES[int(status)] if status.isdecimal() and int(status) < len(STATUSES) else "UNKNOWN"
        raise CallFailed(name, unquote(response.headers.get("grpc-message", "")))
    if len(response.body) < 5 or (response.body[0], 5 + int.from_bytes(response.body[1:5])) != (0, len(response.body)):
        raise CallFailed("INTERNAL", "the answer is not one message without compression")
    return bytes(response.body[5:])


def _close(idle: deque[Connection]) -> None:
    while idle:
        idle.pop().close()
