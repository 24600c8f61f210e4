import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import gevent
import gevent.event
import grpc
import pytest

from serving.gateway.inference.tf_serving import wire_pb2 as wire
from serving.gateway.inference.tf_serving.channel import CallFailed, Channel, parse_address
from serving.gateway.inference.tf_serving.client import PREDICT
from serving.gateway.inference.tf_serving.messages import Images, predict_request
from serving.gateway.server.greenlets import GreenletsWay
from serving.gateway.waits import Waits
from serving.http2 import END_HEADERS, END_STREAM, HEADERS, encode, frame
from testing.fake_model_server import FakeModelServer

SECONDS = 20.0
MESSAGE = predict_request("plain", "serving_default", Images(bytes(784), 1, 28, 28))


@pytest.fixture
def channel(fake_server: FakeModelServer) -> Iterator[Channel]:
    with closing(Channel(fake_server.address, Waits())) as made:
        yield made


def ask(channel: Channel, message: Sequence[bytes] = MESSAGE, timeout: float = SECONDS) -> wire.PredictResponse:
    return wire.PredictResponse.FromString(channel.call(PREDICT, message, timeout))


def test_connections_are_kept(channel: Channel, fake_server: FakeModelServer) -> None:
    peers = []
    fake_server.fault = lambda context: peers.append(context.peer())
    assert [ask(channel).model_spec.version.value for _ in range(3)] == [7, 7, 7]
    assert len(set(peers)) == 1


def test_calls_at_once_have_connections_of_their_own(channel: Channel, fake_server: FakeModelServer) -> None:
    all_there, peers = threading.Barrier(3, timeout=SECONDS), set()

    def meet(context: grpc.ServicerContext) -> None:
        peers.add(context.peer())
        all_there.wait()

    fake_server.fault = meet
    threads = [threading.Thread(target=ask, args=(channel,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(peers) == 3


def test_greenlets_wait_beside_each_other(fake_server: FakeModelServer) -> None:
    both_there = threading.Barrier(2, timeout=SECONDS)
    fake_server.fault = lambda context: both_there.wait()
    waits = Waits()
    waits.way = GreenletsWay(gevent.get_hub(), threads=1)
    with closing(Channel(fake_server.address, waits)) as channel:
        greenlets = [gevent.spawn(ask, channel) for _ in range(2)]
        assert [each.get().model_spec.version.value for each in greenlets] == [7, 7]
    waits.way.close()


def test_much_goes_and_comes(channel: Channel, fake_server: FakeModelServer) -> None:
    def answer(request: wire.PredictRequest) -> wire.PredictResponse:
        return wire.PredictResponse(outputs={"all": request.inputs["images"]})

    fake_server.answer = answer
    pixels = bytes(range(256)) * 10_000
    message = predict_request("plain", "serving_default", Images(pixels, 1, 1, 1))
    for _ in range(3):
        assert ask(channel, message).outputs["all"].tensor_content == pixels


def test_the_deadline_and_what_goes_with_a_call_reach_the_server(
    channel: Channel, fake_server: FakeModelServer
) -> None:
    seen: list[tuple[float, dict]] = []
    fake_server.fault = lambda context: seen.append((context.time_remaining(), dict(context.invocation_metadata())))
    channel.call(PREDICT, MESSAGE, 100.0, (("traceparent", "00-a-b-01"),))
    [(remaining, metadata)] = seen
    assert 50 < remaining <= 101
    assert metadata["traceparent"] == "00-a-b-01"


def test_the_servers_words_arrive(channel: Channel, fake_server: FakeModelServer) -> None:
    fake_server.fault = lambda context: context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no, 100 % – never")
    with pytest.raises(CallFailed) as caught:
        ask(channel)
    assert (caught.value.status, caught.value.detail) == ("INVALID_ARGUMENT", "no, 100 % – never")


def test_connections_that_the_server_has_closed_are_not_noticed(channel: Channel, fake_server: FakeModelServer) -> None:
    ask(channel)
    fake_server.stop()
    back = FakeModelServer(fake_server.address)
    try:
        assert ask(channel).model_spec.version.value == 7
    finally:
        back.stop()


Answer = Callable[[socket.socket], None]


def response(*headers: tuple[str, str], body: bytes = b"") -> bytes:
    start = frame(HEADERS, END_HEADERS | (0 if body else END_STREAM), 1, encode(headers))
    return start + (frame(0, END_STREAM, 1, body) if body else b"")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (response((":status", "404")), "UNIMPLEMENTED"),
        (response((":status", "503")), "UNAVAILABLE"),
        (response((":status", "418")), "UNKNOWN"),
        (response((":status", "200"), ("grpc-status", "99")), "UNKNOWN"),
        (response((":status", "200"), ("grpc-status", "0")), "INTERNAL"),
        (response((":status", "200"), ("grpc-status", "0"), body=b"\1\0\0\0\1x"), "INTERNAL"),
        (response((":status", "200"), ("grpc-status", "0"), body=b"\0\0\0\0\2x"), "INTERNAL"),
        (frame(3, 0, 1, b"\0\0\0\x07"), "UNAVAILABLE"),
        (frame(3, 0, 1, b"\0\0\0\x01"), "INTERNAL"),
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", "UNAVAILABLE"),
        (b"", "UNAVAILABLE"),
    ],
)  # fmt: skip
def test_what_is_no_answer_of_grpcs_is_an_error(answer: bytes, status: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(2**16)
                    connection.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        with closing(Channel(f"127.0.0.1:{listener.getsockname()[1]}", Waits())) as channel:
            with pytest.raises(CallFailed) as caught:
                ask(channel)
            assert caught.value.status == status
        listener.shutdown(socket.SHUT_RDWR)
        serving.join()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("model-server:8500", ("model-server", 8500)),
        ("[::1]:1", ("::1", 1)),
        ("unix:/run/models.sock", "/run/models.sock"),
    ],
)
def test_addresses(text: str, address: object) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "model-server", ":8500", "host:", "host:0", "host:65536", "host:x", "host:²", "unix:"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        parse_address(text)
