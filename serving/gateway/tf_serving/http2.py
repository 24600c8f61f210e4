"""The client's side of HTTP/2 (RFC 9113), one request at a time on a connection, whose caller reads the answer itself.

So no other thread has to be woken for an answer. Headers travel without the compression's dynamic table (RFC 7541): the
same headers are the same bytes, which are encoded and decoded once.
"""

import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from hpack import Decoder, Encoder, HPACKError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM = ACK = 1
END_HEADERS, PADDED, PRIORITY = 4, 8, 32
TABLE_SIZE, ENABLE_PUSH, FIRST_WINDOW, FRAME_BYTES = 1, 2, 4, 5  # settings
CONNECTION = 0  # the stream that is the connection itself
DEFAULT_FRAME = 2**14  # bytes
DEFAULT_WINDOW, LARGEST_WINDOW = 2**16 - 1, 2**31 - 1  # bytes
LAST_STREAM = 2**31 - 1
MOST_HEADER_BYTES = 2**16
READ_BYTES = 2**16


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


@lru_cache(256)
def encode(headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return a header block, to be sent as it is or behind another one."""
    # What must never be indexed leaves the table as it is, here and there.
    return Encoder().encode([(name, value, True) for name, value in headers], huffman=False)


@lru_cache(256)
def decode(block: bytes) -> dict[str, str]:
    """Return the headers of a block that uses no dynamic table; raise HPACKError if there are none in it."""
    decoder = Decoder(MOST_HEADER_BYTES)
    decoder.max_allowed_table_size = decoder.header_table_size = 0
    return {str(name): str(value) for name, value in decoder.decode(block)}


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return one frame."""
    return struct.pack(">HBBBI", len(payload) >> 8, len(payload) & 255, kind, flags, stream) + payload


class Connection:
    """A connection to one server, over a socket that is connected: a native one, or gevent's for its greenlets."""

    def __init__(self, socket: Any) -> None:
        """Prepare what is sent first; it goes with the first request."""
        self._socket = socket
        self.usable = True
        self._stream = -1
        self._window = self._first_window = DEFAULT_WINDOW  # what the server has room for
        self._frame_bytes = DEFAULT_FRAME  # that it takes
        self._received = b""
        settings = {TABLE_SIZE: 0, ENABLE_PUSH: 0, FIRST_WINDOW: LARGEST_WINDOW}
        self._unsent = PREFACE + frame(
            SETTINGS, 0, CONNECTION, b"".join(struct.pack(">HI", *setting) for setting in settings.items())
        )
        self._give_window(LARGEST_WINDOW - DEFAULT_WINDOW)

    def request(self, head: bytes, body: bytes, most_bytes: int, until: float) -> Response:
        """Send a request, of a header block and a body, and return the answer of `most_bytes` at most.

        Raise TimeoutError where there is none at the moment `until` of the monotonic clock, Broken, Reset or TooLarge.
        After any of them, and when it is no longer `usable`, the connection has to be closed.
        """
        self._stream += 2
        response = Response(self._first_window)
        self._unsent += frame(HEADERS, END_HEADERS, self._stream, head)
        sent = 0
        while not response.ended:
            if sent < len(body):
                sent += self._put(body, sent, response)
            self._send(until)
            if sent == len(body) or min(self._window, response.window) <= 0:
                self._take(response, most_bytes, until)
        # With a part of the body unsent, this stream has not ended; and there are only so many streams.
        self.usable &= sent == len(body) and self._stream < LAST_STREAM
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
        parts = [self._unsent]
        for at in range(start, end, self._frame_bytes):
            piece = body[at : min(at + self._frame_bytes, end)]
            parts.append(frame(DATA, END_STREAM if at + len(piece) == len(body) else 0, self._stream, piece))
        self._unsent = b"".join(parts)
        self._window -= end - start
        response.window -= end - start
        return end - start

    def _give_window(self, size: int) -> None:
        """Tell the server, with the next request, that there is room for `size` more bytes."""
        self._unsent += frame(WINDOW, 0, CONNECTION, struct.pack(">I", size))

    def _send(self, until: float) -> None:
        if self._unsent:
            self._socket.settimeout(seconds_until(until))
            try:
                self._socket.sendall(self._unsent)
            except TimeoutError:
                raise
            except OSError as error:
                raise Broken(f"sending failed: {error}") from error
            self._unsent = b""

    def _take(self, response: Response, most_bytes: int, until: float) -> None:
        """Read what has come, at least one frame."""
        for kind, flags, stream, payload in self._frames(until):
            try:
                if stream == CONNECTION:
                    self._take_of_connection(kind, flags, payload, response)
                elif stream == self._stream:
                    _take_of_stream(kind, flags, payload, response)
            except (struct.error, IndexError, HPACKError) as error:
                raise Broken(f"a frame of kind {kind} cannot be read: {error!r}") from error
            if len(response.body) > most_bytes:
                raise TooLarge

    def _frames(self, until: float) -> Iterator[tuple[int, int, int, bytes]]:
        """Give kind, flags, stream and payload of the next frame, and of those that have come with it."""
        while (size := _frame_bytes(self._received, 0)) > len(self._received):
            self._received += self._receive(until)
        data, at = self._received, 0
        while (size := _frame_bytes(data, at)) <= len(data) - at:
            kind, flags, stream = struct.unpack_from(">BBI", data, at + 3)
            payload = data[at + 9 : at + size]
            at += size
            self._received = data[at:]
            yield kind, flags, stream & LAST_STREAM, payload

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

    def _take_of_connection(self, kind: int, flags: int, payload: bytes, response: Response) -> None:
        if kind == WINDOW:
            self._window += int.from_bytes(payload)
        elif kind == PING and not flags & ACK:
            self._unsent += frame(PING, ACK, CONNECTION, payload)
        elif kind == SETTINGS and not flags & ACK:
            for name, value in struct.iter_unpack(">HI", payload):
                if name == FIRST_WINDOW:
                    response.window += value - self._first_window
                    self._first_window = value
                elif name == FRAME_BYTES:
                    self._frame_bytes = max(DEFAULT_FRAME, value)  # less is not allowed
            self._unsent += frame(SETTINGS, ACK, CONNECTION, b"")
        elif kind == GOAWAY:
            self.usable = False
            if struct.unpack_from(">I", payload)[0] & LAST_STREAM < self._stream:
                raise Broken("the server is going away")


def _take_of_stream(kind: int, flags: int, payload: bytes, response: Response) -> None:
    if kind == DATA:
        response.body += _without_padding(flags, payload)
        response.taken += len(payload)
        response.ended = bool(flags & END_STREAM)
    elif kind == HEADERS:
        response.block = _without_padding(flags, payload)[5 if flags & PRIORITY else 0 :]
        response.ending = bool(flags & END_STREAM)
    elif kind == CONTINUATION:
        response.block += payload
    elif kind == WINDOW:
        response.window += int.from_bytes(payload)
    elif kind == RESET:
        raise Reset(int.from_bytes(payload))
    if kind in (HEADERS, CONTINUATION) and flags & END_HEADERS:
        _take_headers(decode(response.block), response)
    elif len(response.block) > MOST_HEADER_BYTES:
        raise TooLarge


def _take_headers(headers: dict[str, str], response: Response) -> None:
    if headers.get(":status", "").startswith("1"):  # the answer itself is still to come
        return
    response.headers |= headers
    response.ended = response.ending


def _without_padding(flags: int, payload: bytes) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & PADDED else payload


def _frame_bytes(data: bytes, at: int) -> int:
    """Return the size of the frame that begins there, 9 where its head has not come; raise Broken for a large one."""
    size = int.from_bytes(data[at : at + 3]) if len(data) - at >= 9 else 0
    if size > DEFAULT_FRAME:
        raise Broken(f"a frame of {size} bytes came where {DEFAULT_FRAME} are taken")
    return 9 + size


def seconds_until(until: float) -> float:
    """Return the seconds that are left until a moment of the monotonic clock; raise TimeoutError if there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
