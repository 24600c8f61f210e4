"""A client's end of HTTP/2, whose frames the tests write and read themselves."""

import socket
import struct
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import BytesValue

from serving import http2
from serving.http2 import Frame, frame, split

SECONDS = 20.0
MOST = 100_000  # bytes of a frame
REQUEST = {":method": "POST", ":path": "/x/Echo", ":scheme": "http", "content-type": "application/grpc"}
ENDS = http2.END_HEADERS | http2.END_STREAM


class Peer:
    """A client's end of a connection."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(SECONDS)
        self._socket.connect(str(path))
        self._received = b""
        self._frames: list[Frame] = []

    def begin(self, *settings: tuple[int, int]) -> None:
        """Say what a client says first."""
        self.send(http2.PREFACE, http2.settings(settings))

    def send(self, *parts: bytes) -> None:
        self._socket.sendall(b"".join(parts))

    def read(self) -> Frame | None:
        """Return the next frame, None where the server has closed the connection."""
        while not self._frames:
            if not (received := self._socket.recv(2**16)):
                return None
            self._frames, self._received = split(self._received + received, MOST)
        return self._frames.pop(0)

    def read_until(self, kind: int, flags: int | None = None) -> Frame:
        """Return the next frame of a kind, with these flags if any are given."""
        while came := self.read():
            if came.kind == kind and flags in (None, came.flags):
                return came
        pytest.fail(f"the connection was closed before a frame of kind {kind}")

    def answer(self, stream: int) -> tuple[dict[str, str], bytes]:
        """Return the headers, trailers among them, and the body of the answer on a stream."""
        headers: dict[str, str] = {}
        body = b""
        while came := self.read():
            if came.stream == stream and came.kind == http2.HEADERS:
                headers |= http2.decode(came.payload)
            elif came.stream == stream and came.kind == http2.DATA:
                body += came.payload
            if came.stream == stream and came.flags & http2.END_STREAM:
                return headers, body
        pytest.fail("the connection was closed before the answer's end")

    def close(self) -> None:
        self._socket.close()


def block(values: dict[str, str]) -> bytes:
    return http2.encode(tuple(values.items()))


def headers(stream: int = 1, flags: int = http2.END_HEADERS, **changed: str) -> bytes:
    return frame(http2.HEADERS, flags, stream, block(REQUEST | {f":{k}": v for k, v in changed.items()}))


def data(payload: bytes, stream: int = 1, flags: int = http2.END_STREAM) -> bytes:
    return frame(http2.DATA, flags, stream, payload)


def message(value: bytes) -> bytes:
    body = BytesValue(value=value).SerializeToString()
    return struct.pack(">?I", False, len(body)) + body


def window(size: int, stream: int = 0) -> bytes:
    return frame(http2.WINDOW, 0, stream, struct.pack(">I", size))


def settings_ack() -> bytes:
    return frame(http2.SETTINGS, http2.ACK, 0, b"")
