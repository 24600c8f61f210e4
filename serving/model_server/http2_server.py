"""The server's side of HTTP/2 (RFC 9113): connections on which many requests are under way at a time."""

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from hpack import Decoder

from serving.http2 import (
    ACK,
    CALM,
    CANCEL,
    CONNECTION,
    CONTINUATION,
    DATA,
    DEFAULT_FRAME,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    FLOW_CONTROL_ERROR,
    FRAME_BYTES,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADER_BYTES,
    HEADERS,
    LARGEST_FRAME,
    LARGEST_WINDOW,
    MOST_HEADER_BYTES,
    NO_ERROR,
    PING,
    PREFACE,
    PUSH,
    REFUSED,
    RESET,
    SETTINGS,
    STREAMS,
    TABLE_SIZE,
    WINDOW,
    Frame,
    Malformed,
    data_frames,
    decode,
    decoded,
    frame,
    settings,
    split,
)

MOST_STREAMS = 1000  # on one connection at a time
FIRST_SECONDS = 20.0  # within which a connection has to say that it speaks HTTP/2
GIVE_BACK = LARGEST_WINDOW // 2  # bytes that have come before the client is told that there is room for them again
SIZES = {PING: 8, RESET: 4, WINDOW: 4}  # bytes, of frames that have no others


class Stream:
    """A request, and what is sent of its answer; for the event loop's thread alone."""

    __slots__ = (
        "_connection",
        "body",
        "came",
        "closed",
        "endless",
        "headers",
        "number",
        "sent",
        "on_closed",
        "trailers",
        "unsent",
        "whole",
        "window",
    )

    def __init__(self, connection: "Connection", number: int, headers: dict[str, str], window: int) -> None:
        self._connection = connection
        self.number = number
        self.headers = headers
        self.body = bytearray()
        self.came = 0  # bytes of the body, also those that whoever reads it has taken away
        self.whole = False  # whether the request has come to its end
        self.window = window  # bytes of the answer that the client has room for
        self.unsent = b""  # what of the answer has not been sent, from `sent` on
        self.sent = 0
        self.trailers: bytes | None = None  # the header block that ends the answer
        self.endless = False
        self.closed = False
        self.on_closed: Callable[[], None] | None = None

    def begin(self, block: bytes) -> None:
        """Send the header block that an answer begins with, which has no end before the connection's."""
        self.endless = True
        self._connection.send(self, frame(HEADERS, END_HEADERS, self.number, block))

    def send(self, block: bytes, body: bytes, trailers: bytes) -> None:
        """Send a whole answer: the header block that it begins with, its body, and the one that ends it."""
        self.trailers = trailers
        self._connection.send(self, frame(HEADERS, END_HEADERS, self.number, block), body)

    def more(self, body: bytes) -> None:
        """Send a part of the body, after `begin`."""
        self._connection.send(self, b"", body)

    def end(self, block: bytes) -> None:
        """Send the header block that ends an answer, or is one; nothing where the client has gone."""
        self.trailers = block
        self._connection.send(self, b"")


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(
        self,
        on_data: Callable[[Stream], None],
        connections: "set[Connection]",
        most_streams: int = MOST_STREAMS,
        most_bytes: int = LARGEST_WINDOW,
        age: float | None = None,
    ) -> None:
        """Have `on_data` called with each stream as its body grows; be in `connections` while it lasts.

        It holds `most_bytes` of requests that have not been answered, and takes no more after `age` seconds.
        """
        self._on_data = on_data
        self._connections = connections
        self._most_streams = most_streams
        self._most_bytes = most_bytes
        self._age = age
        self._received = b""
        self._take: Callable[[Frame], None] | None = None  # what takes the next frame; None before the preface
        self._streams: dict[int, Stream] = {}
        self._last = 0  # the latest stream's number
        self._window = self._first_window = DEFAULT_WINDOW  # what the client has room for
        self._frame_bytes = DEFAULT_FRAME  # that it takes
        self._held = 0  # bytes of requests under way
        self._taken = 0  # bytes of the window that clients' bodies took
        self._block: tuple[Frame, bytes] | None = None  # HEADERS whose block goes on, and the block so far
        self._decoder: Decoder | None = Decoder(MOST_HEADER_BYTES)  # None once there is no dynamic table
        self._leaving = False
        self._timers: list[asyncio.TimerHandle] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say how much is taken at a time."""
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        larger = struct.pack(">I", LARGEST_WINDOW - DEFAULT_WINDOW)
        said = ((TABLE_SIZE, 0), (STREAMS, self._most_streams), (FIRST_WINDOW, LARGEST_WINDOW),
                (HEADER_BYTES, MOST_HEADER_BYTES))  # fmt: skip
        self._transport.write(settings(said) + frame(WINDOW, 0, CONNECTION, larger))
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(FIRST_SECONDS, self._transport.abort)
        self._timers = [self._patience]
        if self._age is not None:
            self._timers.append(loop.call_later(self._age, self.leave))

    def connection_lost(self, error: Exception | None) -> None:
        """Give up what is under way."""
        for timer in self._timers:
            timer.cancel()
        self._connections.discard(self)
        for number in list(self._streams):
            self._close(number)
        self.ended.set_result(None)

    def pause_writing(self) -> None:
        """Take no more of a client that does not take its answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self._received += data
        try:
            if self._take is None and not self._begun():
                return
            frames, self._received = split(self._received)
            for each in frames:
                assert self._take
                self._take(each)
        except Malformed as error:
            self._fail(error)

    def leave(self) -> None:
        """Take no more requests, and close the connection after those under way."""
        if not self._leaving:
            self._leaving = True
            self._transport.write(self._goaway(NO_ERROR))
            for number in [stream.number for stream in self._streams.values() if stream.endless]:
                self._reset(number, CANCEL)
            self._close_if_done()

    def abort(self) -> None:
        """Close the connection now."""
        self._transport.abort()

    def send(self, stream: Stream, head: bytes, body: bytes = b"") -> None:
        """Send a part of an answer, as far as there is room for it."""
        if stream.closed:
            return
        stream.unsent, stream.sent = stream.unsent[stream.sent :] + body, 0
        self._transport.write(head + self._sendable(stream))
        if stream.closed:
            self._close_if_done()

    def _reset(self, number: int, code: int) -> None:
        """Give a stream up."""
        self._transport.write(frame(RESET, 0, number, struct.pack(">I", code)))
        self._close(number)
        self._close_if_done()

    def _begun(self) -> bool:
        """Say whether the preface has come; raise Malformed where something else has."""
        if not PREFACE.startswith(self._received[: len(PREFACE)]):
            raise Malformed("a connection begins with the preface of HTTP/2 without TLS")
        if len(self._received) < len(PREFACE):
            return False
        self._received = self._received[len(PREFACE) :]
        self._patience.cancel()
        self._take = self._take_first
        return True

    def _take_first(self, came: Frame) -> None:
        if came.kind != SETTINGS or came.flags & ACK:
            raise Malformed("the first frame is no SETTINGS")
        self._take = self._take_any
        self._take_any(came)

    def _take_any(self, came: Frame) -> None:
        kind, stream = came.kind, came.stream
        if self._block and (kind != CONTINUATION or stream != self._block[0].stream):
            raise Malformed("a frame came between HEADERS and their CONTINUATION")
        if kind in SIZES and len(came.payload) != SIZES[kind]:
            raise Malformed(f"a frame of kind {kind} has {len(came.payload)} bytes", FRAME_SIZE_ERROR)
        if kind in (SETTINGS, PING, GOAWAY):
            if stream != CONNECTION:
                raise Malformed(f"a frame of kind {kind} names a stream")
            self._take_of_connection(came)
        elif kind == WINDOW:
            self._widen(stream, int.from_bytes(came.payload) & LARGEST_WINDOW)
        elif kind in (DATA, HEADERS, RESET, CONTINUATION, PUSH):
            if not stream % 2 or (stream > self._last and kind not in (HEADERS, CONTINUATION)):
                raise Malformed(f"a frame of kind {kind} came for stream {stream}, which the client has not begun")
            self._take_of_stream(came)

    def _take_of_connection(self, came: Frame) -> None:
        if came.kind == PING and not came.flags & ACK:
            self._transport.write(frame(PING, ACK, CONNECTION, came.payload))
        elif came.kind == SETTINGS and came.flags & ACK:
            if self._decoder:  # the client has been told to use no table
                self._decoder.max_allowed_table_size = 0
        elif came.kind == SETTINGS:
            if len(came.payload) % 6:
                raise Malformed(f"SETTINGS of {len(came.payload)} bytes", FRAME_SIZE_ERROR)
            for name, value in struct.iter_unpack(">HI", came.payload):
                self._set(name, value)
            self._transport.write(frame(SETTINGS, ACK, CONNECTION, b""))
            self._send_more()

    def _set(self, name: int, value: int) -> None:
        if name == FIRST_WINDOW:
            if value > LARGEST_WINDOW:
                raise Malformed(f"a window of {value} bytes", FLOW_CONTROL_ERROR)
            for stream in self._streams.values():
                stream.window += value - self._first_window
            self._first_window = value
        elif name == FRAME_BYTES:
            if not DEFAULT_FRAME <= value <= LARGEST_FRAME:
                raise Malformed(f"frames of {value} bytes")
            self._frame_bytes = value

    def _widen(self, number: int, more: int) -> None:
        """Have room for more bytes, on one stream or on all together."""
        stream = self._streams.get(number)
        window = self._window if number == CONNECTION else stream.window if stream else 0
        if not more or window + more > LARGEST_WINDOW:
            raise Malformed(f"a window grew by {more} bytes", FLOW_CONTROL_ERROR)
        if number == CONNECTION:
            self._window += more
        elif stream:
            stream.window += more
        self._send_more()

    def _take_of_stream(self, came: Frame) -> None:
        stream = self._streams.get(came.stream)
        if came.kind == HEADERS:
            self._headers(came, came.content())
        elif came.kind == CONTINUATION:
            if not self._block:
                raise Malformed("a CONTINUATION of nothing")
            first, block = self._block
            self._headers(first, block + came.payload, came.flags)
        elif came.kind == PUSH:
            raise Malformed("a client pushed")
        elif came.kind == RESET:
            self._close(came.stream)
            self._close_if_done()
        else:
            self._taken += len(came.payload)
            if self._taken >= GIVE_BACK:
                self._transport.write(frame(WINDOW, 0, CONNECTION, struct.pack(">I", self._taken)))
                self._taken = 0
            if stream and not stream.whole:  # else it was refused or answered before its end
                stream.body += came.content()
                stream.whole = bool(came.flags & END_STREAM)
                stream.came += len(came.payload)
                self._held += len(came.payload)
                if self._held > self._most_bytes:
                    self._reset(stream.number, CALM)
                else:
                    self._on_data(stream)

    def _headers(self, first: Frame, block: bytes, flags: int | None = None) -> None:
        """Take a header block, or the part of it that has come."""
        if len(block) > MOST_HEADER_BYTES:
            raise Malformed(f"headers of more than {MOST_HEADER_BYTES} bytes", CALM)
        if not (first.flags if flags is None else flags) & END_HEADERS:
            self._block = first, block
            return
        self._block = None
        headers = self._decoded(block)
        if stream := self._streams.get(first.stream):  # its trailers
            if stream.whole or not first.flags & END_STREAM:
                raise Malformed("headers came where trailers belong that end the request")
        elif first.stream <= self._last:  # of one that was refused, or answered before its end
            return
        else:
            self._last = first.stream
            if self._leaving:
                return
            stream = Stream(self, first.stream, headers, self._first_window)
            if len(self._streams) >= self._most_streams:
                self._reset(first.stream, REFUSED)
                return
            self._streams[first.stream] = stream
        stream.whole |= bool(first.flags & END_STREAM)
        if stream.whole:
            self._on_data(stream)

    def _decoded(self, block: bytes) -> dict[str, str]:
        if self._decoder is None:
            return decode(block)
        headers = decoded(self._decoder, block)
        if not self._decoder.header_table_size:
            self._decoder = None
        return headers

    def _send_more(self) -> None:
        """Send what there was no room for."""
        self._transport.write(b"".join([self._sendable(stream) for stream in list(self._streams.values())]))
        self._close_if_done()

    def _sendable(self, stream: Stream) -> bytes:
        """Return the frames for which there is room now of what a stream has to send, and close it after the last."""
        frames: list[bytes] = []
        room = max(0, min(self._window, stream.window, len(stream.unsent) - stream.sent))
        if room:
            body = stream.unsent[stream.sent : stream.sent + room]
            frames = data_frames(stream.number, body, self._frame_bytes, 0)
            stream.sent += room
            stream.window -= room
            self._window -= room
        if stream.trailers is not None and stream.sent == len(stream.unsent):
            frames.append(frame(HEADERS, END_HEADERS | END_STREAM, stream.number, stream.trailers))
            if not stream.whole:  # no more of the request is wanted
                frames.append(frame(RESET, 0, stream.number, struct.pack(">I", NO_ERROR)))
            self._close(stream.number)
        return b"".join(frames)

    def _close(self, number: int) -> None:
        if stream := self._streams.pop(number, None):
            self._held -= stream.came
            stream.closed = True
            if stream.on_closed:
                stream.on_closed()

    def _close_if_done(self) -> None:
        if self._leaving and not self._streams:
            self._transport.close()

    def _goaway(self, code: int, detail: str = "") -> bytes:
        return frame(GOAWAY, 0, CONNECTION, struct.pack(">II", self._last, code) + detail.encode())

    def _fail(self, error: Malformed) -> None:
        """Close the connection, of which nothing more can be understood, and say why."""
        self._received = b""
        with suppress(RuntimeError):
            self._transport.pause_reading()
        self._transport.write(self._goaway(error.code, str(error)))
        self._transport.close()
