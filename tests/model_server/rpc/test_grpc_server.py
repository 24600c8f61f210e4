"""The gRPC server against gRPC's own client."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue, Int64Value
from grpc import StatusCode

from serving.model_server.errors import ServingError
from serving.model_server.rpc.grpc_server import Call, GrpcServer, Limits
from testing.waiting import eventually

SECONDS = 20.0
MOST = 1_000_000  # bytes of a message


def echo(call: Call) -> None:
    call.reply(call.request(BytesValue))


def repeat(call: Call) -> None:
    call.reply(BytesValue(value=b"a" * call.request(Int64Value).value))


def refuse(call: Call) -> None:
    call.fail(ServingError(StatusCode.NOT_FOUND, "100 % neither here, nor „there“\n"))


def seconds_left(call: Call) -> None:
    call.reply(Int64Value(value=int(call.seconds_left() or -1)))


@pytest.fixture
def methods() -> dict[str, Callable[[Call], Any]]:
    """To which a test may add."""
    return {"/x/Echo": echo, "/x/Repeat": repeat, "/x/Refuse": refuse, "/x/SecondsLeft": seconds_left}


@pytest.fixture
def server(methods: dict[str, Callable[[Call], Any]]) -> Iterator[GrpcServer]:
    made = GrpcServer(methods, Limits(MOST))
    yield made
    made.stop(0).result(SECONDS)
    made.close()


@pytest.fixture
def address(server: GrpcServer, tmp_path: Path) -> str:
    server.listen(f"unix:{tmp_path}/sock")
    return f"unix:{tmp_path}/sock"


@pytest.fixture
def channel(address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)]) as opened:
        yield opened


def ask(channel: grpc.Channel, method: str, message: bytes = b"", **options: Any) -> bytes:
    call: Any = channel.unary_unary(f"/x/{method}")
    return call(message, **{"timeout": SECONDS, **options})


def refused(channel: grpc.Channel, method: str, message: bytes = b"", **options: Any) -> tuple[StatusCode, str | None]:
    with pytest.raises(grpc.RpcError) as caught:
        ask(channel, method, message, **options)
    return caught.value.code(), caught.value.details()


def fails(channel: grpc.Channel, method: str) -> StatusCode | None:
    try:
        ask(channel, method)
    except grpc.RpcError as error:
        return error.code()
    return None


def holding(size: int) -> bytes:
    return BytesValue(value=bytes(range(256)) * (size // 256)).SerializeToString()


@pytest.mark.parametrize("size", [0, 256, 100_096, 999_936])
def test_a_message_comes_back(channel: grpc.Channel, size: int) -> None:
    for _ in range(3):  # later calls have no table of headers any more
        assert ask(channel, "Echo", holding(size)) == holding(size)


def test_a_large_answer_comes_as_the_client_has_room(channel: grpc.Channel) -> None:
    answer = ask(channel, "Repeat", Int64Value(value=20_000_000).SerializeToString())
    assert BytesValue.FromString(answer).value == b"a" * 20_000_000


def test_many_calls_are_under_way_on_one_connection(channel: grpc.Channel) -> None:
    with ThreadPoolExecutor(16) as threads:
        sizes = [256 * number for number in range(200)]
        assert list(threads.map(lambda size: ask(channel, "Echo", holding(size)), sizes)) == [*map(holding, sizes)]


def test_an_error_has_its_code_and_words(channel: grpc.Channel) -> None:
    assert refused(channel, "Refuse") == (StatusCode.NOT_FOUND, "100 % neither here, nor „there“\n")


def test_what_is_no_message_is_refused(channel: grpc.Channel) -> None:
    code, details = refused(channel, "Echo", b"\xff")
    assert (code, details) == (StatusCode.INTERNAL, "The message is no google.protobuf.BytesValue.")


def test_an_unknown_method_is_named(channel: grpc.Channel) -> None:
    assert refused(channel, "Nothing") == (StatusCode.UNIMPLEMENTED, "There is no method /x/Nothing.")


def test_a_message_that_is_too_large_is_refused(channel: grpc.Channel) -> None:
    code, details = refused(channel, "Echo", holding(MOST + 512))
    assert (code, details) == (StatusCode.RESOURCE_EXHAUSTED, "The message has more than 1,000,000 bytes.")
    assert ask(channel, "Echo", b"") == b""


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_message_may_be_compressed(channel: grpc.Channel, compression: grpc.Compression) -> None:
    assert ask(channel, "Echo", holding(100_096), compression=compression) == holding(100_096)
    code, _ = refused(channel, "Echo", BytesValue(value=bytes(MOST)).SerializeToString(), compression=compression)
    assert code is StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(("timeout", "seconds"), [(None, -1), (990.5, 990)])  # gRPC rounds up to three digits
def test_the_deadline_is_known(channel: grpc.Channel, timeout: float | None, seconds: int) -> None:
    assert Int64Value.FromString(ask(channel, "SecondsLeft", timeout=timeout)).value == seconds


def test_a_call_whose_client_goes_is_known_to_be_gone(
    methods: dict[str, Callable[[Call], Any]], channel: grpc.Channel
) -> None:
    came, gone, calls = threading.Event(), threading.Event(), list[Call]()

    def wait(call: Call) -> None:
        calls.append(call)
        call.when_gone(gone.set)
        came.set()

    methods["/x/Wait"] = wait
    waiting: Any = channel.unary_unary("/x/Wait")
    asked = waiting.future(b"", timeout=SECONDS)
    assert came.wait(SECONDS)
    assert not calls[0].gone
    asked.cancel()
    assert gone.wait(SECONDS)
    assert calls[0].gone
    calls[0].reply(BytesValue())  # for nobody
    assert ask(channel, "Echo", b"") == b""


def test_a_server_that_stops_finishes_calls_under_way(
    methods: dict[str, Callable[[Call], Any]], server: GrpcServer, channel: grpc.Channel
) -> None:
    came, calls = threading.Event(), list[Call]()

    def wait(call: Call) -> None:
        calls.append(call)
        came.set()

    methods["/x/Wait"] = wait
    waiting: Any = channel.unary_unary("/x/Wait")
    asked = waiting.future(b"", timeout=SECONDS)
    assert came.wait(SECONDS)
    stopped = server.stop(SECONDS)
    eventually(lambda: fails(channel, "Echo") is StatusCode.UNAVAILABLE)
    assert not stopped.done()
    calls[0].reply(BytesValue(value=b"late"))
    assert BytesValue.FromString(asked.result()).value == b"late"
    stopped.result(SECONDS)


def test_what_is_told_without_an_end_ends_with_the_server(
    methods: dict[str, Callable[[Call], Any]], server: GrpcServer, channel: grpc.Channel
) -> None:
    methods["/x/Watch"] = lambda call: call.tell(Int64Value(value=7))
    watch: Any = channel.unary_stream("/x/Watch")
    told = watch(b"", timeout=SECONDS)
    assert Int64Value.FromString(next(told)).value == 7
    server.stop(SECONDS).result(SECONDS / 2)
    with pytest.raises(grpc.RpcError) as caught:
        next(told)
    assert caught.value.code() is StatusCode.CANCELLED


def test_a_server_waits_no_longer_than_it_is_told(
    methods: dict[str, Callable[[Call], Any]], server: GrpcServer, channel: grpc.Channel
) -> None:
    came = threading.Event()
    methods["/x/Wait"] = lambda _: came.set()
    waiting: Any = channel.unary_unary("/x/Wait")
    asked = waiting.future(b"", timeout=SECONDS)
    assert came.wait(SECONDS)
    server.stop(0).result(SECONDS)
    assert asked.exception().code() is StatusCode.UNAVAILABLE


def test_no_call_is_lost_where_connections_grow_old(methods: dict[str, Any], tmp_path: Path) -> None:
    server = GrpcServer(methods, Limits(MOST, age_seconds=0.01))
    server.listen(f"unix:{tmp_path}/sock")
    until = time.monotonic() + 0.5
    with grpc.insecure_channel(f"unix:{tmp_path}/sock") as channel:
        while time.monotonic() < until:
            assert ask(channel, "Echo", b"", wait_for_ready=True) == b""
    server.stop(0).result(SECONDS)
    server.close()


def test_a_port_that_is_taken(server: GrpcServer, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        server.listen(f"127.0.0.1:{taken.getsockname()[1]}")


def test_the_sockets_file_goes_with_the_server(server: GrpcServer, address: str) -> None:
    path = Path(address.removeprefix("unix:"))
    assert path.is_socket()
    server.stop(0).result(SECONDS)
    assert not path.exists()
