"""The client's side of HTTP/2, one request at a time on a connection, whose caller reads the answer itself.

So no other thread has to be woken for an answer.
"""

import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from serving import http2
from serving.http2 import Frame, Malformed, data_frames, decode, frame, settings, split

READ_BYTES = 2**16
MOST_PIECES = 1024  # that one system call sends: Linux' IOV_MAX


class Broken(Exception):
    """The connection ended, or what came on it is not HTTP/2, before there was an answer."""


class Reset(Exception):
    """The server gave the request up, with an error code of HTTP/2."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the server reset the request with HTTP/2's error {code}")
        self.code = code


class TooLarge(Exception):
    """The answer has more bytes than are taken."""


@dataclass(slots=True)
class Response:
    """The answer to one request, as far as it has come."""

    window: int  # bytes of the request's body that the server has room for
    headers: dict[str, str] = field(default_factory=dict)  # and the trailers
    body: bytearray = field(default_factory=bytearray)
    taken: int = 0  # bytes of the window that the body took
    ended: bool = False
    block: bytes = b""  # of headers, as far as they have come
    ending: bool = False  # whether it ends with them


class Connection:
    """A connection to one server, over a socket that is connected: a native one, or gevent's for its greenlets."""

    def __init__(self, socket: Any) -> None:
        """Prepare what is sent first; it goes with the first request."""
        self._socket = socket
        self.usable = True
        self._stream = -1
        self._window = self._first_window = http2.DEFAULT_WINDOW  # what the server has room for
        self._frame_bytes = http2.DEFAULT_FRAME  # that it takes
        self._received = b""
        said = ((http2.TABLE_SIZE, 0), (http2.ENABLE_PUSH, 0), (http2.FIRST_WINDOW, http2.LARGEST_WINDOW))
        self._unsent: list[bytes | memoryview] = [http2.PREFACE, settings(said)]
        self._give_window(http2.LARGEST_WINDOW - http2.DEFAULT_WINDOW)

    def request(self, head: bytes, body: bytes, most_bytes: int, until: float) -> Response:
        """Send a request, of a header block and a body, and return the answer of `most_bytes` at most.

        Raise TimeoutError where there is none at the moment `until` of the monotonic clock, Broken, Reset or TooLarge.
        After any of them, and when it is no longer `usable`, the connection has to be closed.
        """
        self._stream += 2
        response = Response(self._first_window)
        if self._stream == 1:
            head = http2.NO_TABLE + head
        self._unsent.append(frame(http2.HEADERS, http2.END_HEADERS, self._stream, head))
        sent = 0
        while not response.ended:
            if sent < len(body):
                sent += self._put(body, sent, response)
            self._send(until)
            if sent == len(body) or min(self._window, response.window) <= 0:
                self._take(response, most_bytes, until)
        # With a part of the body unsent, this stream has not ended; and there are only so many streams.
        self.usable &= sent == len(body) and self._stream < http2.LAST_STREAM
        if response.taken:
            self._give_window(response.taken)
        return response

    def close(self) -> None:
        """Close the connection."""
        self.usable = False
        with suppress(OSError):
            self._socket.close()

    def _put(self, body: bytes, start: int, response: Response) -> int:
        """Have as much of the body sent as the server has room for, and return how much that is."""
        end = min(len(body), start + max(0, min(self._window, response.window)))
        flags = http2.END_STREAM if end == len(body) else 0
        if end > start:
            self._unsent += data_frames(self._stream, memoryview(body)[start:end], self._frame_bytes, flags)
        self._window -= end - start
        response.window -= end - start
        return end - start

    def _give_window(self, size: int) -> None:
        """Tell the server, with the next request, that there is room for `size` more bytes."""
        self._unsent.append(frame(http2.WINDOW, 0, http2.CONNECTION, struct.pack(">I", size)))

    def _send(self, until: float) -> None:
        while self._unsent:
            self._socket.settimeout(seconds_until(until))
            try:
                sent = self._socket.sendmsg(self._unsent[:MOST_PIECES])
            except TimeoutError:
                raise
            except OSError as error:
                raise Broken(f"sending failed: {error}") from error
            self._unsent = _after(self._unsent, sent)

    def _take(self, response: Response, most_bytes: int, until: float) -> None:
        """Read what has come, if only a part of a frame."""
        try:
            frames, self._received = split(self._received + self._receive(until))
            for each in frames:
                if each.stream == http2.CONNECTION:
                    self._take_of_connection(each, response)
                elif each.stream == self._stream:
                    _take_of_stream(each, response)
                if len(response.body) > most_bytes:
                    raise TooLarge
        except (Malformed, struct.error) as error:
            raise Broken(f"what came is not HTTP/2: {error}") from error

    def _receive(self, until: float) -> bytes:
        self._socket.settimeout(seconds_until(until))
        try:
            received = self._socket.recv(READ_BYTES)
        except TimeoutError:
            raise
        except OSError as error:
            raise Broken(f"reading failed: {error}") from error
        if not received:
            raise Broken("the server closed the connection")
        return received

    def _take_of_connection(self, came: Frame, response: Response) -> None:
        kind, flags, payload = came.kind, came.flags, came.payload
        if kind == http2.WINDOW:
            self._window += int.from_bytes(payload)
        elif kind == http2.PING and not flags & http2.ACK:
            self._unsent.append(frame(http2.PING, http2.ACK, http2.CONNECTION, payload))
        elif kind == http2.SETTINGS and not flags & http2.ACK:
            for name, value in struct.iter_unpack(">HI", payload):
                if name == http2.FIRST_WINDOW:
                    response.window += value - self._first_window
                    self._first_window = value
                elif name == http2.FRAME_BYTES:
                    self._frame_bytes = max(http2.DEFAULT_FRAME, value)  # less is not allowed
            self._unsent.append(frame(http2.SETTINGS, http2.ACK, http2.CONNECTION, b""))
        elif kind == http2.GOAWAY:
            self.usable = False
            if struct.unpack_from(">I", payload)[0] & http2.LAST_STREAM < self._stream:
                raise Broken("the server is going away")


def _after(pieces: list[bytes | memoryview], sent: int) -> list[bytes | memoryview]:
    """Return what is left of the pieces after so many bytes of them."""
    for at, piece in enumerate(pieces):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *pieces[at + 1 :]]
        sent -= len(piece)
    return []


def _take_of_stream(came: Frame, response: Response) -> None:
    kind, flags = came.kind, came.flags
    if kind == http2.DATA:
        response.body += came.content()
        response.taken += len(came.payload)
        response.ended = bool(flags & http2.END_STREAM)
    elif kind == http2.HEADERS:
        response.block = came.content()
        response.ending = bool(flags & http2.END_STREAM)
    elif kind == http2.CONTINUATION:
        response.block += came.payload
    elif kind == http2.WINDOW:
        response.window += int.from_bytes(came.payload)
    elif kind == http2.RESET:
        raise Reset(int.from_bytes(came.payload))
    if kind in (http2.HEADERS, http2.CONTINUATION) and flags & http2.END_HEADERS:
        _take_headers(decode(response.block), response)
    elif len(response.block) > http2.MOST_HEADER_BYTES:
        raise TooLarge


def _take_headers(headers: dict[str, str], response: Response) -> None:
    if headers.get(":status", "").startswith("1"):  # the answer itself is still to come
        return
    response.headers |= headers
    response.ended = response.ending


def seconds_until(until: float) -> float:
    """Return the seconds that are left until a moment of the monotonic clock; raise TimeoutError if there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
