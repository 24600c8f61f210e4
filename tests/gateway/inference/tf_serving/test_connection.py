"""The client's HTTP/2 against frames that are written here; test_channel.py has a real server."""

import random
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from serving import http2
from serving.gateway.inference.tf_serving import connection
from serving.gateway.inference.tf_serving.connection import Broken, Connection, Reset, Response, TooLarge
from serving.http2 import frame

SECONDS = 10.0
HEAD = http2.encode(((":method", "POST"), (":path", "/x")))
OK, DONE = {":status": "200", "content-type": "application/grpc"}, {"grpc-status": "0"}


class Reluctant(socket.socket):
    """A socket that takes a thousand bytes at a time."""

    def sendmsg(self, buffers: Iterable[bytes], *_: object) -> int:  # type: ignore[override]
        return self.send(b"".join(buffers)[:1000])


class Peer:
    """The server's end of a connection, and the client's."""

    def __init__(self, kind: type[socket.socket] = socket.socket) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(SECONDS)
        self._preface = b""
        self.connection = Connection(kind(fileno=theirs.detach()))

    def send(self, *frames: bytes) -> None:
        self._socket.sendall(b"".join(frames))

    def end(self) -> None:
        """Send no more."""
        self._socket.shutdown(socket.SHUT_WR)

    def ask(self, *frames: bytes, body: bytes = b"abc", most_bytes: int = 1000, seconds: float = SECONDS) -> Response:
        """Send the answer, then have it asked for."""
        if frames:
            self.send(*frames)
        return self.connection.request(HEAD, body, most_bytes, time.monotonic() + seconds)

    def read(self) -> tuple[int, int, int, bytes]:
        """Return kind, flags, stream and payload of the next frame."""
        if not self._preface:
            self._preface = self._exactly(len(http2.PREFACE))
            assert self._preface == http2.PREFACE
        head = self._exactly(9)
        return head[3], head[4], int.from_bytes(head[5:]), self._exactly(int.from_bytes(head[:3]))

    def read_until(self, kind: int) -> tuple[int, int, bytes]:
        """Return flags, stream and payload of the next frame of a kind."""
        while (read := self.read())[0] != kind:
            pass
        return read[1:]

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self._socket.recv(size - len(data)) or pytest.fail("the client closed the connection")
        return data

    def close(self) -> None:
        self.connection.close()
        self._socket.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.close()


def block(headers: dict[str, str], *, indexed: bool = False) -> bytes:
    return Encoder().encode([(name, value, not indexed) for name, value in headers.items()], huffman=True)


def headers(values: dict[str, str], flags: int = http2.END_HEADERS, stream: int = 1) -> bytes:
    return frame(http2.HEADERS, flags, stream, block(values))


def trailers(stream: int = 1) -> bytes:
    return headers(DONE, http2.END_HEADERS | http2.END_STREAM, stream)


def data(payload: bytes, flags: int = 0, stream: int = 1) -> bytes:
    return frame(http2.DATA, flags, stream, payload)


def settings(*values: tuple[int, int]) -> bytes:
    return http2.settings(values)


def test_a_request_and_its_answer(peer: Peer) -> None:
    response = peer.ask(settings(), headers(OK), data(b"de"), data(b"f"), trailers())
    assert (response.headers, bytes(response.body)) == (OK | DONE, b"def")
    assert peer.read_until(http2.HEADERS) == (http2.END_HEADERS, 1, http2.NO_TABLE + HEAD)
    assert peer.read_until(http2.DATA) == (http2.END_STREAM, 1, b"abc")
    assert peer.connection.usable


def test_a_request_goes_however_little_is_taken_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_PIECES", 2)
    body = random.Random(1).randbytes(20_000)
    with closing(Peer(Reluctant)) as peer:
        peer.ask(headers(OK), trailers(), body=body)
        assert peer.read_until(http2.HEADERS) == (http2.END_HEADERS, 1, http2.NO_TABLE + HEAD)
        assert peer.read_until(http2.DATA) == (0, 1, body[: http2.DEFAULT_FRAME])
        assert peer.read_until(http2.DATA) == (http2.END_STREAM, 1, body[http2.DEFAULT_FRAME :])


def test_the_next_request_is_another_stream_and_says_what_was_taken(peer: Peer) -> None:
    peer.ask(headers(OK), frame(http2.DATA, http2.PADDED, 1, b"\2def" + bytes(2)), trailers())
    peer.read_until(http2.DATA)
    assert peer.ask(headers(OK, stream=3), data(b"0" * 10, stream=3), trailers(3)).body == b"0" * 10
    assert peer.read() == (http2.WINDOW, 0, 0, struct.pack(">I", 6))
    assert peer.read_until(http2.DATA)[1] == 3


@pytest.mark.parametrize(
    ("frames", "body"),
    [
        ([headers({":status": "103"}), headers(OK), data(b"x"), trailers()], b"x"),
        ([headers(OK), frame(http2.DATA, http2.PADDED, 1, b"\x03x" + bytes(3)), trailers()], b"x"),
        ([frame(http2.HEADERS, http2.END_HEADERS | http2.PRIORITY, 1, bytes(5) + block(OK)), trailers()], b""),
        ([headers(OK | DONE, http2.END_HEADERS | http2.END_STREAM)], b""),
        ([headers(OK), data(b"old", stream=7), frame(250, 0, 1, b"?"), data(b"x", http2.END_STREAM)], b"x"),
        (
            [frame(http2.HEADERS, http2.END_STREAM, 1, block(OK)), frame(http2.CONTINUATION, 4, 1, block(DONE))],
            b"",
        ),
    ],
    ids=["information", "padding", "priority", "trailers only", "others", "continuation"],
)
def test_forms_of_an_answer(peer: Peer, frames: list[bytes], body: bytes) -> None:
    response = peer.ask(*frames)
    assert (response.headers[":status"], bytes(response.body)) == ("200", body)


def test_a_ping_and_settings_are_acknowledged(peer: Peer) -> None:
    peer.ask(settings((http2.FRAME_BYTES, 0)), frame(http2.PING, 0, 0, b"12345678"), headers(OK), trailers())
    peer.ask(headers(OK, stream=3), trailers(3))
    assert peer.read_until(http2.SETTINGS)[0] == 0
    assert peer.read_until(http2.SETTINGS) == (http2.ACK, 0, b"")
    assert peer.read_until(http2.PING) == (http2.ACK, 0, b"12345678")


def test_a_body_goes_as_far_as_the_server_has_room(peer: Peer) -> None:
    body = bytes(range(256)) * 1000
    frames: list[bytes] = []
    waited = threading.Event()

    def serve() -> None:
        peer.send(settings((http2.FIRST_WINDOW, 30_000), (http2.FRAME_BYTES, 20_000)))
        while sum(map(len, frames)) < len(body):
            frames.append(peer.read_until(http2.DATA)[2])
            if sum(map(len, frames)) == http2.DEFAULT_WINDOW:  # sent before the settings came
                waited.set()
                # What the smaller window lacks, and more; the connection's own has nothing left either.
                more = http2.DEFAULT_WINDOW - 30_000 + len(body)
                peer.send(frame(http2.WINDOW, 0, 1, struct.pack(">I", more)))
                peer.send(frame(http2.WINDOW, 0, 0, struct.pack(">I", len(body))))
        peer.send(headers(OK), trailers())

    serving = threading.Thread(target=serve)
    serving.start()
    response = peer.connection.request(HEAD, body, 1000, time.monotonic() + SECONDS)
    serving.join()
    assert waited.is_set()
    assert (response.headers, b"".join(frames)) == (OK | DONE, body)
    assert max(map(len, frames)) == 20_000


def test_an_answer_before_the_end_of_the_body_ends_the_connection(peer: Peer) -> None:
    response = peer.ask(headers(OK | DONE, http2.END_HEADERS | http2.END_STREAM), body=bytes(100_000))
    assert response.headers == OK | DONE
    assert not peer.connection.usable


def test_a_connection_ends_with_the_last_number_of_a_request(peer: Peer) -> None:
    peer.connection._stream = http2.LAST_STREAM - 4
    peer.ask(trailers(http2.LAST_STREAM - 2))
    assert peer.connection.usable
    peer.ask(trailers(http2.LAST_STREAM))
    assert not peer.connection.usable


def test_a_server_that_goes_away_answers_what_it_took(peer: Peer) -> None:
    leaving = frame(http2.GOAWAY, 0, 0, struct.pack(">II", 1, 0))
    assert peer.ask(leaving, headers(OK), trailers()).headers == OK | DONE
    assert not peer.connection.usable


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([frame(http2.GOAWAY, 0, 0, struct.pack(">II", 0, 0))], Broken),
        ([frame(http2.RESET, 0, 1, struct.pack(">I", 8))], Reset),
        ([headers(OK), data(bytes(1001))], TooLarge),
        ([headers(OK, flags=0), *[frame(http2.CONTINUATION, 0, 1, bytes(16_000))] * 5], TooLarge),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], Broken),
        ([frame(http2.HEADERS, 4, 1, block({"a": "b"}, indexed=True) + b"\xbe")], Broken),
        ([frame(http2.DATA, http2.PADDED, 1, b"")], Broken),
        ([frame(http2.SETTINGS, 0, 0, b"12345")], Broken),
        ([frame(http2.GOAWAY, 0, 0, b"")], Broken),
    ],
    ids=["goaway", "reset", "large", "large headers", "http/1", "dynamic table", "padding", "settings", "short"],
)
def test_what_is_no_answer_is_an_error(peer: Peer, frames: list[bytes], error: type[Exception]) -> None:
    with pytest.raises(error):
        peer.ask(*frames)


def test_a_server_that_closes_the_connection(peer: Peer) -> None:
    peer.end()
    with pytest.raises(Broken, match="the server closed the connection"):
        peer.ask()


@pytest.mark.parametrize("body", [b"abc", bytes(10**6)], ids=["reading", "sending"])
def test_nothing_waits_longer_than_its_time(peer: Peer, body: bytes) -> None:
    with pytest.raises(TimeoutError):
        peer.ask(settings(), body=body, seconds=0.05)


@given(st.lists(st.binary(max_size=40) | st.builds(frame, *[st.integers(0, 255)] * 2, st.integers(0, 3), st.binary())))
def test_whatever_comes_is_an_answer_or_an_error(frames: list[bytes]) -> None:
    peer = Peer()
    try:
        peer.send(*frames)
        peer.end()
        peer.connection.request(HEAD, b"abc", 1000, time.monotonic() + SECONDS)
    except (Broken, Reset, TooLarge):
        pass
    finally:
        peer.close()
