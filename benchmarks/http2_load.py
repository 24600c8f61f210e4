"""A load generator for one unary gRPC call, sent over and over on one connection with many in flight.

It speaks just enough HTTP/2 for that, at about 25 µs of processor time a call, where gRPC's own Python client needs 100
to 250 µs: on a machine that the server shares, the client must not be what is measured.
"""

import socket
import struct
import time

from serving import http2
from serving.http2 import encode, frame, split


class Load:
    """A connection on which one call is repeated."""

    def __init__(self, host: str, port: int, path: str, request: bytes, window: int = http2.LARGEST_WINDOW) -> None:
        """Connect; every call is a POST of the serialized message `request` to `path`.

        The server may send `window` bytes of each answer: with 0 it has to keep them.
        """
        self._socket = socket.create_connection((host, port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._headers = encode((
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", host), ("te", "trailers"),
            ("content-type", "application/grpc"),
        ))  # fmt: skip
        self._body = b"\x00" + struct.pack(">I", len(request)) + request
        self._window = http2.DEFAULT_WINDOW
        self._stream = 1
        self._unread = b""
        self._answered: set[int] = set()
        larger = struct.pack(">I", http2.LARGEST_WINDOW - http2.DEFAULT_WINDOW)
        said = http2.settings([(http2.FIRST_WINDOW, window)]) + frame(http2.WINDOW, 0, http2.CONNECTION, larger)
        self._socket.sendall(http2.PREFACE + said)

    def run(self, calls: int, in_flight: int) -> float:
        """Make so many calls, return how many a second; raise `RuntimeError` when one fails."""
        started = time.perf_counter()
        sent = done = 0
        while done < calls:
            sent += self.send(min(calls - sent, in_flight - (sent - done)))
            done += self._receive()
        return calls / (time.perf_counter() - started)

    def send(self, calls: int) -> int:
        """Send up to so many calls, as far as the server has room for them; return how many."""
        calls = min(calls, self._window // len(self._body))
        frames = []
        for _ in range(calls):
            block = self._headers if self._stream > 1 else http2.NO_TABLE + self._headers
            frames.append(frame(http2.HEADERS, http2.END_HEADERS, self._stream, block))
            frames.append(frame(http2.DATA, http2.END_STREAM, self._stream, self._body))
            self._stream += 2
        self._window -= calls * len(self._body)
        self._socket.sendall(b"".join(frames))
        return calls

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _receive(self) -> int:
        """Read what has come, answer what HTTP/2 wants answered, return how many calls have ended."""
        received = self._socket.recv(1 << 18)
        if not received:
            raise RuntimeError("the server closed the connection")
        frames, self._unread = split(self._unread + received)
        done = 0
        for each in frames:
            if each.kind == http2.DATA:
                self._answered.add(each.stream)
            elif each.kind == http2.HEADERS and each.flags & http2.END_STREAM:
                if each.stream not in self._answered:
                    raise RuntimeError(f"a call ended without an answer: {each.payload!r}")
                self._answered.discard(each.stream)
                done += 1
            elif each.kind in (http2.RESET, http2.GOAWAY):
                raise RuntimeError(f"the server refuses: {each.payload!r}")
            elif each.kind in (http2.SETTINGS, http2.PING) and not each.flags & http2.ACK:
                same = each.payload if each.kind == http2.PING else b""
                self._socket.sendall(frame(each.kind, http2.ACK, http2.CONNECTION, same))
            elif each.kind == http2.WINDOW and each.stream == http2.CONNECTION:
                self._window += int.from_bytes(each.payload)
        return done
