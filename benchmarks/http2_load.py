"""A load generator for one unary gRPC call, sent over and over on one connection with many in flight.

It speaks just enough HTTP/2 for that, at about 25 µs of processor time a call, where gRPC's own Python client needs 100
to 250 µs: on a machine that the server shares, the client must not be what is measured.
"""

import socket
import struct
import time

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM = _ACK = 1
_END_HEADERS = 4
_LARGEST_WINDOW = 2**31 - 1
_FIRST_WINDOW = 65_535


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """Write a header without the compression's tables: the same bytes do for every call."""
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


class Load:
    """A connection on which one call is repeated."""

    def __init__(self, host: str, port: int, path: str, request: bytes, window: int = _LARGEST_WINDOW) -> None:
        """Connect; every call is a POST of the serialized message `request` to `path`.

        The server may send `window` bytes of each answer: with 0 it has to keep them.
        """
        self._socket = socket.create_connection((host, port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pseudo = b"\x83\x86" + _literal(b":path", path.encode()) + _literal(b":authority", host.encode())
        self._headers = pseudo + _literal(b"te", b"trailers") + _literal(b"content-type", b"application/grpc")
        self._body = b"\x00" + struct.pack(">I", len(request)) + request
        self._window = _FIRST_WINDOW
        self._stream = 1
        self._unread = b""
        self._answered: set[int] = set()
        settings = struct.pack(">HI", 4, window)
        larger = struct.pack(">I", _LARGEST_WINDOW - _FIRST_WINDOW)
        self._socket.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, settings) + _frame(_WINDOW, 0, 0, larger)
        )

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
            frames.append(_frame(_HEADERS, _END_HEADERS, self._stream, self._headers))
            frames.append(_frame(_DATA, _END_STREAM, self._stream, self._body))
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
        data, position, done = self._unread + received, 0, 0
        while len(data) - position >= 9:
            size, flags = int.from_bytes(data[position : position + 3]), data[position + 4]
            if len(data) - position - 9 < size:
                break
            kind, stream = data[position + 3], int.from_bytes(data[position + 5 : position + 9])
            payload = data[position + 9 : position + 9 + size]
            position += 9 + size
            if kind == _DATA:
                self._answered.add(stream)
            elif kind == _HEADERS and flags & _END_STREAM:
                if stream not in self._answered:
                    raise RuntimeError(f"a call ended without an answer: {payload!r}")
                self._answered.discard(stream)
                done += 1
            elif kind in (_RESET, _GOAWAY):
                raise RuntimeError(f"the server refuses: {payload!r}")
            elif kind in (_SETTINGS, _PING) and not flags & _ACK:
                self._socket.sendall(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
            elif kind == _WINDOW and stream == 0:
                self._window += int.from_bytes(payload)
        self._unread = data[position:]
        return done
