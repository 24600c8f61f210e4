"""The server's side of HTTP/2 (RFC 9113): connections on which many requests are under way at a time."""

import asyncio
import struct
from collections.abc import Callable
from enum import IntEnum
from typing import cast

from serving import http2
from serving.http2 import Frame, Malformed, frame, settings, split
from serving.model_server.rpc.http2_headers import HeaderBlocks
from serving.model_server.rpc.http2_stream import Room, Stream

MOST_STREAMS = 1000  # on one connection at a time
FIRST_SECONDS = 20.0  # within which a connection has to say that it speaks HTTP/2
LEAVING_SECONDS = 0.5  # that a client has to hear that no more is taken, and then to close the connection
LEAVING = b"leaving."  # what is in the PING whose answer says that it has heard
GIVE_BACK = http2.LARGEST_WINDOW // 2  # bytes come before the client is told that there is room for them again
SIZES = {http2.PING: 8, http2.RESET: 4, http2.WINDOW: 4}  # bytes, of frames that have no others


class Stage(IntEnum):
    """How far the end of a connection has come."""

    OPEN = 0
    LEAVING = 1  # the client has been told to take another connection
    FULL = 2  # no more requests are taken
    DONE = 3  # all has been said


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(
        self,
        on_data: Callable[[Stream], None],
        connections: "set[Connection]",
        most_streams: int = MOST_STREAMS,
        most_bytes: int = http2.LARGEST_WINDOW,
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
        self._room = Room()
        self._held = 0  # bytes of requests under way
        self._taken = 0  # bytes of the window that clients' bodies took
        self._blocks = HeaderBlocks()
        self._stage = Stage.OPEN
        self._timers: list[asyncio.TimerHandle] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say how much is taken at a time."""
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        larger = struct.pack(">I", http2.LARGEST_WINDOW - http2.DEFAULT_WINDOW)
        said = ((http2.TABLE_SIZE, 0), (http2.STREAMS, self._most_streams), (http2.FIRST_WINDOW, http2.LARGEST_WINDOW),
                (http2.HEADER_BYTES, http2.MOST_HEADER_BYTES))  # fmt: skip
        self._transport.write(settings(said) + frame(http2.WINDOW, 0, http2.CONNECTION, larger))
        self._later(FIRST_SECONDS, self._give_up)
        if self._age is not None:
            self._later(self._age, self.leave)

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
        if self._stage is Stage.DONE:
            return
        self._received += data
        try:
            if self._take is None and not self._begun():
                return
            frames, self._received = split(self._received)
            for each in frames:
                assert self._take
                if self._stage is not Stage.DONE:
                    self._take(each)
        except Malformed as error:
            self._fail(error)

    def leave(self) -> None:
        """Have the client take another connection, and close this one after what is under way.

        As RFC 9113, 6.8 says: what the client sends before it hears of it is answered, too.
        """
        if self._stage is Stage.OPEN:
            self._stage = Stage.LEAVING
            ping = frame(http2.PING, 0, http2.CONNECTION, LEAVING)
            self._transport.write(self._goaway(http2.NO_ERROR, http2.LAST_STREAM) + ping)
            self._later(LEAVING_SECONDS, self._take_no_more)

    def abort(self) -> None:
        """Close the connection now."""
        self._transport.abort()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, action))

    def _give_up(self) -> None:
        """Close the connection of a client that has not begun."""
        if not self._take:
            self.abort()

    def _take_no_more(self) -> None:
        if self._stage < Stage.FULL:
            self._stage = Stage.FULL
            self._transport.write(self._goaway(http2.NO_ERROR, self._last))
            for number in [stream.number for stream in self._streams.values() if stream.endless]:
                self._reset(number, http2.CANCEL)
            self._finish_if_done()

    def _finish_if_done(self) -> None:
        if self._stage is Stage.FULL and not self._streams:
            self._finish()

    def _finish(self) -> None:
        """Say that nothing follows, and have the client close the connection.

        Closing it here, while something of the client's is still to come, could cost it what it has not read.
        """
        if self._stage is not Stage.DONE:
            self._stage = Stage.DONE
            for number in list(self._streams):
                self._close(number)
            if not self._transport.is_closing():
                self._transport.write_eof()
            self._later(LEAVING_SECONDS, self._close_once_sent)

    def _close_once_sent(self) -> None:
        if self._transport.get_write_buffer_size():
            self._later(LEAVING_SECONDS, self._close_once_sent)
        else:
            self.abort()

    def _reset(self, number: int, code: int) -> None:
        """Give a stream up."""
        self._transport.write(frame(http2.RESET, 0, number, struct.pack(">I", code)))
        self._close(number)
        self._finish_if_done()

    def _begun(self) -> bool:
        """Say whether the preface has come; raise Malformed where something else has."""
        if not http2.PREFACE.startswith(self._received[: len(http2.PREFACE)]):
            raise Malformed("a connection begins with the preface of HTTP/2 without TLS")
        if len(self._received) < len(http2.PREFACE):
            return False
        self._received = self._received[len(http2.PREFACE) :]
        self._take = self._take_first
        return True

    def _take_first(self, came: Frame) -> None:
        if came.kind != http2.SETTINGS or came.flags & http2.ACK:
            raise Malformed("the first frame is no SETTINGS")
        self._take = self._take_any
        self._take_any(came)

    def _take_any(self, came: Frame) -> None:
        kind, stream = came.kind, came.stream
        self._blocks.check(came)
        if kind in SIZES and len(came.payload) != SIZES[kind]:
            raise Malformed(f"a frame of kind {kind} has {len(came.payload)} bytes", http2.FRAME_SIZE_ERROR)
        if kind in (http2.SETTINGS, http2.PING, http2.GOAWAY):
            if stream != http2.CONNECTION:
                raise Malformed(f"a frame of kind {kind} names a stream")
            self._take_of_connection(came)
        elif kind == http2.WINDOW:
            if stream == http2.CONNECTION or stream in self._streams:
                self._room.widen(self._streams.get(stream), int.from_bytes(came.payload) & http2.LARGEST_WINDOW)
                self._send_more()
        elif kind in (http2.DATA, http2.HEADERS, http2.RESET, http2.CONTINUATION, http2.PUSH):
            if not stream % 2 or (stream > self._last and kind not in (http2.HEADERS, http2.CONTINUATION)):
                raise Malformed(f"a frame of kind {kind} came for stream {stream}, which the client has not begun")
            self._take_of_stream(came)

    def _take_of_connection(self, came: Frame) -> None:
        if came.kind == http2.PING and came.flags & http2.ACK:
            if came.payload == LEAVING:
                self._take_no_more()
        elif came.kind == http2.PING:
            self._transport.write(frame(http2.PING, http2.ACK, http2.CONNECTION, came.payload))
        elif came.kind == http2.SETTINGS and came.flags & http2.ACK:
            self._blocks.use_no_table()
        elif came.kind == http2.SETTINGS:
            if len(came.payload) % 6:
                raise Malformed(f"SETTINGS of {len(came.payload)} bytes", http2.FRAME_SIZE_ERROR)
            for name, value in struct.iter_unpack(">HI", came.payload):
                self._room.set(name, value, self._streams.values())
            self._transport.write(frame(http2.SETTINGS, http2.ACK, http2.CONNECTION, b""))
            self._send_more()

    def _take_of_stream(self, came: Frame) -> None:
        stream = self._streams.get(came.stream)
        if came.kind in (http2.HEADERS, http2.CONTINUATION):
            if block := self._blocks.take(came):
                self._take_headers(*block)
        elif came.kind == http2.PUSH:
            raise Malformed("a client pushed")
        elif came.kind == http2.RESET:
            self._close(came.stream)
            self._finish_if_done()
        else:
            self._taken += len(came.payload)
            if self._taken >= GIVE_BACK:
                self._transport.write(frame(http2.WINDOW, 0, http2.CONNECTION, struct.pack(">I", self._taken)))
                self._taken = 0
            if stream and not stream.whole:  # else it was refused or answered before its end
                stream.take(came.content())
                stream.whole = bool(came.flags & http2.END_STREAM)
                stream.came += len(came.payload)
                self._held += len(came.payload)
                if self._held > self._most_bytes:
                    self._reset(stream.number, http2.CALM)
                else:
                    self._on_data(stream)

    def _take_headers(self, first: Frame, headers: dict[str, str]) -> None:
        """Take what begins a request, or the trailers that end it."""
        if stream := self._streams.get(first.stream):  # its trailers
            if stream.whole or not first.flags & http2.END_STREAM:
                raise Malformed("headers came where trailers belong that end the request")
        elif first.stream <= self._last:  # of one that was refused, or answered before its end
            return
        else:
            self._last = first.stream
            if self._stage >= Stage.FULL:
                return
            stream = Stream(self._send, first.stream, headers, self._room.first_window)
            if len(self._streams) >= self._most_streams:
                self._reset(first.stream, http2.REFUSED)
                return
            self._streams[first.stream] = stream
        stream.whole |= bool(first.flags & http2.END_STREAM)
        if stream.whole:
            self._on_data(stream)

    def _send(self, stream: Stream, first: bytes) -> None:
        """Send these frames, and of the rest of an answer what there is room for; nothing where the client has gone."""
        if stream.closed:
            return
        frames, last = self._room.frames(stream)
        self._transport.write(first + frames)
        if last:
            self._close(stream.number)
            self._finish_if_done()

    def _send_more(self) -> None:
        """Send what there was no room for."""
        for stream in list(self._streams.values()):
            self._send(stream, b"")

    def _close(self, number: int) -> None:
        if stream := self._streams.pop(number, None):
            self._held -= stream.came
            stream.closed = True
            if stream.on_closed:
                stream.on_closed()

    def _goaway(self, code: int, last: int, detail: str = "") -> bytes:
        return frame(http2.GOAWAY, 0, http2.CONNECTION, struct.pack(">II", last, code) + detail.encode())

    def _fail(self, error: Malformed) -> None:
        """Close the connection, of which nothing more can be understood, and say why."""
        self._received = b""
        self._transport.write(self._goaway(error.code, self._last, str(error)))
        self._finish()
