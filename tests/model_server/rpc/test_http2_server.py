"""The server's HTTP/2 against frames that are written here; test_grpc_server.py has a real client."""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from hpack import Encoder
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from serving import http2
from serving.http2 import frame
from serving.model_server.rpc.grpc_server import Call, GrpcServer, Limits
from testing.waiting import eventually
from tests.model_server.rpc.http2_peer import (
    ENDS,
    REQUEST,
    SECONDS,
    Peer,
    block,
    data,
    headers,
    message,
    settings_ack,
    window,
)

MOST = 100_000  # bytes of a message
STREAMS = 3


def echo(call: Call) -> None:
    call.reply(call.request(BytesValue))


@pytest.fixture(scope="module")
def held() -> list[Call]:
    """Calls of the method Hold, to be answered by a test."""
    return []


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, held: list[Call]) -> Iterator[Path]:
    made = GrpcServer({"/x/Echo": echo, "/x/Hold": held.append}, Limits(MOST, STREAMS))
    socket_path = tmp_path_factory.mktemp("http2") / "sock"
    made.listen(f"unix:{socket_path}")
    yield socket_path
    made.stop(0).result(SECONDS)
    made.close()


@pytest.fixture
def peer(path: Path) -> Iterator[Peer]:
    made = Peer(path)
    yield made
    made.close()


def echoed(path: Path) -> bytes:
    """Return what the server answers to `abc` on a connection of its own."""
    other = Peer(path)
    other.begin()
    other.send(headers(), data(message(b"abc")))
    body = other.answer(1)[1]
    other.close()
    return body


def test_a_request_is_answered(peer: Peer) -> None:
    peer.begin()
    peer.send(headers(), data(message(b"abc")))
    said, body = peer.answer(1)
    assert (said[":status"], said["content-type"], said["grpc-status"]) == ("200", "application/grpc", "0")
    assert body == message(b"abc")


FORMS = {
    "in pieces": [headers(), *[data(bytes([byte]), flags=0) for byte in message(b"abc")], data(b"")],
    "padded": [headers(), frame(http2.DATA, http2.PADDED | http2.END_STREAM, 1, b"\2" + message(b"abc") + bytes(2))],
    "with a priority": [
        frame(http2.HEADERS, http2.END_HEADERS | http2.PRIORITY, 1, bytes(5) + block(REQUEST)),
        frame(http2.PRIORITIES, 0, 1, bytes(5)), data(message(b"abc")),
    ],
    "with headers in pieces": [
        frame(http2.HEADERS, 0, 1, block(REQUEST)[:9]), frame(http2.CONTINUATION, 0, 1, block(REQUEST)[9:20]),
        frame(http2.CONTINUATION, http2.END_HEADERS, 1, block(REQUEST)[20:]), data(message(b"abc")),
    ],
    "with trailers": [
        headers(), data(message(b"abc"), flags=0), frame(http2.HEADERS, ENDS, 1, block({"some": "thing"})),
    ],
    "with a frame of an unknown kind": [headers(), frame(99, 0, 1, b"?"), data(message(b"abc"))],
    "after settings that mean nothing": [http2.settings([(99, 7)]), headers(), data(message(b"abc"))],
}  # fmt: skip


@pytest.mark.parametrize("frames", FORMS.values(), ids=FORMS)
def test_forms_of_a_request(peer: Peer, frames: list[bytes]) -> None:
    peer.begin()
    peer.send(*frames)
    assert peer.answer(1)[1] == message(b"abc")


def test_a_clients_table_of_headers_is_known_until_it_is_told_to_have_none(peer: Peer) -> None:
    encoder = Encoder()
    peer.begin()
    first, second = (encoder.encode(list(REQUEST.items())) for _ in range(2))
    assert len(second) < len(first)
    for stream, encoded in ((1, first), (3, second)):
        peer.send(frame(http2.HEADERS, http2.END_HEADERS, stream, encoded), data(message(b"abc"), stream))
        assert peer.answer(stream)[1] == message(b"abc")
    peer.send(settings_ack())
    encoder.header_table_size = 0
    for stream in (5, 7):
        peer.send(frame(http2.HEADERS, http2.END_HEADERS, stream, encoder.encode(list(REQUEST.items()))),
                  data(message(b"abc"), stream))  # fmt: skip
        assert peer.answer(stream)[1] == message(b"abc")
    peer.send(frame(http2.HEADERS, http2.END_HEADERS, 9, second))
    assert struct.unpack(">I", peer.read_until(http2.GOAWAY).payload[4:8]) == (http2.COMPRESSION_ERROR,)


def test_a_ping_and_settings_are_acknowledged(peer: Peer) -> None:
    peer.begin()
    assert peer.read_until(http2.SETTINGS, http2.ACK).payload == b""
    peer.send(frame(http2.PING, http2.ACK, 0, bytes(8)), frame(http2.PING, 0, 0, b"12345678"))
    assert peer.read_until(http2.PING) == (http2.PING, http2.ACK, 0, b"12345678")


def test_an_answer_goes_as_far_as_the_client_has_room(peer: Peer) -> None:
    value = bytes(range(256)) * 300
    peer.begin((http2.FIRST_WINDOW, 10), (http2.FRAME_BYTES, 20_000))
    peer.send(headers(), data(message(value)[:16_000], flags=0), data(message(value)[16_000:30_000], flags=0))
    for at in range(30_000, len(message(value)), 16_000):
        peer.send(data(message(value)[at : at + 16_000], flags=http2.END_STREAM if at + 16_000 > 76_805 else 0))
    assert len(peer.read_until(http2.DATA).payload) == 10
    peer.send(http2.settings([(http2.FIRST_WINDOW, 30)]))
    assert len(peer.read_until(http2.DATA).payload) == 20
    peer.send(window(100_000, stream=1))
    sizes = [len(peer.read_until(http2.DATA).payload) for _ in range(4)]
    assert (sizes[:3], sum(sizes)) == ([20_000] * 3, http2.DEFAULT_WINDOW - 30)
    peer.send(window(100_000))
    assert len(peer.read_until(http2.DATA).payload) == len(message(value)) - http2.DEFAULT_WINDOW
    assert http2.decode(peer.read_until(http2.HEADERS).payload) == {"grpc-status": "0"}


def test_what_is_too_large_is_refused_before_it_has_come(peer: Peer) -> None:
    peer.begin()
    peer.send(headers(), data(struct.pack(">?I", False, MOST + 1), flags=0))
    said, _ = peer.answer(1)
    assert (said["grpc-status"], said["grpc-message"]) == ("8", "The message has more than 100,000 bytes.")
    assert peer.read_until(http2.RESET).payload == bytes(4)
    peer.send(data(bytes(1000), flags=0), data(b""), headers(3), data(message(b"abc"), 3))  # on its way by then
    assert peer.answer(3)[1] == message(b"abc")


def test_a_connection_holds_so_much_and_no_more(peer: Peer) -> None:
    peer.begin()
    for stream in (1, 3, 5):
        peer.send(headers(stream), *[data(bytes([0, 0, 1, 0x86, 0xA0]) + bytes(15_000), stream, 0)] * 6)
    refused = peer.read_until(http2.RESET)
    assert (refused.stream, refused.payload) == (5, struct.pack(">I", http2.CALM))
    peer.send(frame(http2.RESET, 0, 1, bytes(4)), headers(7), data(message(b"abc"), 7))
    assert peer.answer(7)[1] == message(b"abc")


def test_so_many_requests_and_no_more_are_under_way(peer: Peer, held: list[Call]) -> None:
    held.clear()
    peer.begin()
    for stream in (1, 3, 5, 7):
        peer.send(headers(stream, path="/x/Hold"), data(message(b""), stream))
    refused = peer.read_until(http2.RESET)
    assert (refused.stream, refused.payload) == (7, struct.pack(">I", http2.REFUSED))
    peer.send(frame(http2.RESET, 0, 3, struct.pack(">I", http2.CANCEL)))
    eventually(lambda: held[1].gone)
    for call in held:
        call.reply(BytesValue(value=b"abc"))
    peer.send(headers(9), data(message(b"abc"), 9))
    assert peer.answer(9)[1] == message(b"abc")


def test_who_does_not_read_is_not_read(path: Path) -> None:
    deaf = socket.socket(socket.AF_UNIX)
    deaf.settimeout(1)
    deaf.connect(str(path))
    deaf.sendall(http2.PREFACE + http2.settings([]))
    pings = frame(http2.PING, 0, 0, bytes(8)) * 1000
    with pytest.raises(TimeoutError):
        for _ in range(1000):
            deaf.sendall(pings)
    deaf.close()
    assert echoed(path) == message(b"abc")


@pytest.mark.parametrize(
    ("values", "frames", "status"),
    [
        ({"content-type": "text/html"}, [data(b"x")], (":status", "415")),
        ({":method": "GET"}, [data(b"x")], (":status", "415")),
        ({}, [data(b"x")], ("grpc-status", "13")),
        ({}, [data(b"")], ("grpc-status", "13")),
        ({}, [data(message(b"a") * 2)], ("grpc-status", "13")),
        ({"grpc-encoding": "br"}, [data(b"\1" + message(b"a")[1:])], ("grpc-status", "12")),
        ({"grpc-encoding": "gzip"}, [data(b"\1" + message(b"a")[1:])], ("grpc-status", "13")),
        ({"grpc-timeout": "1x"}, [data(message(b"a"))], ("grpc-status", "13")),
        ({"grpc-timeout": "1n"}, [data(message(b"a"))], ("grpc-status", "0")),
    ],
    ids=["other content", "get", "no prefix", "nothing", "two messages", "br", "no gzip", "timeout", "a short one"],
)
def test_what_is_no_call_is_told_so(
    peer: Peer, values: dict[str, str], frames: list[bytes], status: tuple[str, str]
) -> None:
    peer.begin()
    peer.send(frame(http2.HEADERS, http2.END_HEADERS, 1, block(REQUEST | values)), *frames)
    assert status in peer.answer(1)[0].items()


P, F, S, C, E = (http2.PROTOCOL_ERROR, http2.FLOW_CONTROL_ERROR, http2.FRAME_SIZE_ERROR, http2.COMPRESSION_ERROR,
                 http2.CALM)  # fmt: skip
WRONG = {
    "a large frame": ([frame(http2.DATA, 0, 1, bytes(2**14 + 1))], S),
    "a stream of the server's": ([headers(2)], P),
    "a stream that was not begun": ([data(b"")], P),
    "a body for the connection": ([data(b"", 0)], P),
    "headers twice": ([headers(), headers()], P),
    "headers after the end": ([headers(path="/x/Hold"), data(message(b"")), headers(flags=ENDS)], P),
    "a pushed stream": ([headers(), frame(http2.PUSH, 0, 1, b"")], P),
    "a continuation of nothing": ([headers(), frame(http2.CONTINUATION, 4, 1, b"")], P),
    "a frame between headers": ([headers(flags=0), frame(http2.PING, 0, 0, bytes(8))], P),
    "a continuation for another": ([headers(flags=0), frame(http2.CONTINUATION, 4, 3, b"")], P),
    "too many headers": ([headers(flags=0), *[frame(http2.CONTINUATION, 0, 1, bytes(16_000))] * 5], E),
    "headers that are none": ([frame(http2.HEADERS, ENDS, 1, b"\xff\xff\xff")], C),
    "too much padding": ([headers(), frame(http2.DATA, http2.PADDED, 1, b"\3ab")], P),
    "a short ping": ([frame(http2.PING, 0, 0, b"a")], S),
    "a short reset": ([headers(), frame(http2.RESET, 0, 1, b"a")], S),
    "short settings": ([frame(http2.SETTINGS, 0, 0, b"a")], S),
    "settings of a stream": ([frame(http2.SETTINGS, 0, 1, b"")], P),
    "a huge window": ([http2.settings([(http2.FIRST_WINDOW, 2**31)])], F),
    "small frames": ([http2.settings([(http2.FRAME_BYTES, 2**14 - 1)])], P),
    "no more window": ([window(0)], F),
    "a window past its limit": ([window(2**31 - 1)], F),
}  # fmt: skip


@pytest.mark.parametrize(("frames", "code"), WRONG.values(), ids=WRONG)
def test_what_is_not_http2_ends_the_connection(peer: Peer, frames: list[bytes], code: int) -> None:
    peer.begin()
    peer.send(*frames)
    said = peer.read_until(http2.GOAWAY).payload
    assert struct.unpack(">I", said[4:8]) == (code,)
    assert said[8:].decode()
    assert peer.read() is None


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", http2.PREFACE + frame(http2.PING, 0, 0, bytes(8))])
def test_what_does_not_begin_as_http2_ends_the_connection(peer: Peer, first: bytes) -> None:
    peer.send(first)
    assert peer.read_until(http2.GOAWAY)
    assert peer.read() is None


def test_answers_to_a_connection_that_has_failed_go_nowhere(
    path: Path, peer: Peer, held: list[Call], caplog: pytest.LogCaptureFixture
) -> None:
    peer.begin()
    peer.send(headers(path="/x/Hold"), data(message(b"")))
    eventually(lambda: held)
    peer.send(frame(http2.PUSH, 0, 1, b""))
    assert peer.read_until(http2.GOAWAY)
    held.pop().reply(BytesValue())
    assert echoed(path) == message(b"abc")
    assert not caplog.records  # of exceptions in the event loop


def test_a_server_stops_though_a_connection_has_failed(tmp_path: Path) -> None:
    server = GrpcServer({}, Limits(MOST))
    server.listen(f"unix:{tmp_path}/sock")
    peer = Peer(tmp_path / "sock")
    peer.begin()
    peer.send(frame(http2.PUSH, 0, 1, b""))
    assert peer.read_until(http2.GOAWAY)
    server.stop(SECONDS).result(SECONDS / 2)
    assert peer.read() is None
    peer.close()
    server.close()


def test_an_old_connection_answers_what_came_before_the_client_heard_and_no_more(tmp_path: Path) -> None:
    calls: list[Call] = []
    server = GrpcServer({"/x/Hold": calls.append}, Limits(MOST, age_seconds=0.05))
    server.listen(f"unix:{tmp_path}/sock")
    peer = Peer(tmp_path / "sock")
    peer.begin()
    peer.send(headers(path="/x/Hold"), data(message(b"")))
    assert struct.unpack(">II", peer.read_until(http2.GOAWAY).payload) == (http2.LAST_STREAM, http2.NO_ERROR)
    heard = peer.read_until(http2.PING).payload
    peer.send(headers(3, path="/x/Hold"), data(message(b""), 3), frame(http2.PING, http2.ACK, 0, heard))
    assert struct.unpack(">II", peer.read_until(http2.GOAWAY).payload) == (3, http2.NO_ERROR)
    peer.send(headers(5, path="/x/Hold"), data(message(b""), 5))
    for number, call in zip((1, 3), calls, strict=True):
        call.reply(BytesValue())
        assert peer.answer(number)[0]["grpc-status"] == "0"
    assert peer.read() is None
    peer.close()
    server.stop(0).result(SECONDS)
    server.close()


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.binary(max_size=40)
        | st.builds(frame, st.integers(0, 10), st.integers(0, 255), st.integers(0, 5), st.binary(max_size=40))
        | st.sampled_from([headers(), headers(3), data(b"\0"), data(message(b"abc"), 3, 0), settings_ack()])
    )
)
def test_whatever_comes_the_server_goes_on(path: Path, caplog: pytest.LogCaptureFixture, frames: list[bytes]) -> None:
    wild = Peer(path)
    wild.begin()
    with suppress(BrokenPipeError):
        wild.send(*frames)
    assert echoed(path) == message(b"abc")
    wild.close()
    assert not caplog.records  # of exceptions in the event loop
