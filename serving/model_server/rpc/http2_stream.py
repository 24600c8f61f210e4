"""One request over HTTP/2 and its answer, of which as much is sent as the client has room for."""

import struct
from collections.abc import Callable, Collection

from serving import http2
from serving.http2 import Malformed, data_frames, frame

SMALL_BYTES = 4096  # what is smaller is put together as it comes: each piece costs memory of its own


class Stream:
    """A request, and what is sent of its answer; for the event loop's thread alone."""

    __slots__ = ("_send", "came", "closed", "endless", "headers", "number", "on_closed", "_pieces", "sent", "size",
                 "trailers", "unsent", "whole", "window")  # fmt: skip

    def __init__(
        self, send: "Callable[[Stream, bytes], None]", number: int, headers: dict[str, str], window: int
    ) -> None:
        """`send` takes frames that go first, and sends what there is room for of the rest; there is `window` for it."""
        self._send = send
        self.number = number
        self.headers = headers
        self.size = 0  # bytes of the body that have come
        self._pieces: list[bytes] = []  # the body; all but the last of them have SMALL_BYTES at least
        self.came = 0  # bytes of the body and of its padding
        self.whole = False  # whether the request has come to its end
        self.window = window  # bytes of the answer that the client has room for
        self.unsent = b""  # what of the answer has not been sent, from `sent` on
        self.sent = 0
        self.trailers: bytes | None = None  # the header block that ends the answer
        self.endless = False
        self.closed = False
        self.on_closed: Callable[[], None] | None = None

    def take(self, piece: bytes) -> None:
        """Take a piece of the body."""
        if self._pieces and len(self._pieces[-1]) < SMALL_BYTES:
            self._pieces[-1] += piece
        else:
            self._pieces.append(piece)
        self.size += len(piece)

    def first(self, count: int) -> bytes:
        """Return the first `count` bytes of the body, at most SMALL_BYTES, or as many as have come."""
        return self._pieces[0][:count] if self._pieces else b""

    def body(self, start: int) -> bytes:
        """Return the body from byte `start` on, which is one of the first SMALL_BYTES, and keep nothing of it."""
        pieces, self._pieces = self._pieces, []
        return b"".join([pieces[0][start:], *pieces[1:]])

    def begin(self, block: bytes) -> None:
        """Send the header block that an answer begins with, which has no end before the connection's."""
        self.endless = True
        self._send(self, frame(http2.HEADERS, http2.END_HEADERS, self.number, block))

    def more(self, body: bytes) -> None:
        """Send a part of the body, after `begin`."""
        self.unsent, self.sent = self.unsent[self.sent :] + body, 0
        self._send(self, b"")

    def send(self, block: bytes, body: bytes, trailers: bytes) -> None:
        """Send a whole answer: the header block that it begins with, its body, and the one that ends it."""
        self.unsent, self.trailers = body, trailers
        self._send(self, frame(http2.HEADERS, http2.END_HEADERS, self.number, block))

    def end(self, block: bytes) -> None:
        """Send the header block that is all of an answer."""
        self.trailers = block
        self._send(self, b"")


class Room:
    """What a client has room for on its connection."""

    def __init__(self) -> None:
        self._window = self.first_window = http2.DEFAULT_WINDOW  # bytes on all streams; on a new one
        self._frame_bytes = http2.DEFAULT_FRAME

    def set(self, name: int, value: int, streams: Collection[Stream]) -> None:
        """Take one of the client's settings; raise Malformed."""
        if name == http2.FIRST_WINDOW:
            if value > http2.LARGEST_WINDOW:
                raise Malformed(f"a window of {value} bytes", http2.FLOW_CONTROL_ERROR)
            for stream in streams:
                stream.window += value - self.first_window
            self.first_window = value
        elif name == http2.FRAME_BYTES:
            if not http2.DEFAULT_FRAME <= value <= http2.LARGEST_FRAME:
                raise Malformed(f"frames of {value} bytes")
            self._frame_bytes = value

    def widen(self, stream: Stream | None, more: int) -> None:
        """Have room for more bytes, on one stream or on all together; raise Malformed."""
        window = stream.window if stream else self._window
        if not more or window + more > http2.LARGEST_WINDOW:
            raise Malformed(f"a window grew by {more} bytes", http2.FLOW_CONTROL_ERROR)
        if stream:
            stream.window += more
        else:
            self._window += more

    def frames(self, stream: Stream) -> tuple[bytes, bool]:
        """Return the frames for which there is room now of what a stream has to send, and whether they are the last."""
        frames: list[bytes | memoryview] = []
        room = max(0, min(self._window, stream.window, len(stream.unsent) - stream.sent))
        if room:
            body = memoryview(stream.unsent)[stream.sent : stream.sent + room]
            frames = data_frames(stream.number, body, self._frame_bytes, 0)
            stream.sent += room
            stream.window -= room
            self._window -= room
        last = stream.trailers is not None and stream.sent == len(stream.unsent)
        if last and stream.trailers is not None:
            frames.append(frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream.number, stream.trailers))
            if not stream.whole:  # no more of the request is wanted
                frames.append(frame(http2.RESET, 0, stream.number, struct.pack(">I", http2.NO_ERROR)))
        return b"".join(frames), last
