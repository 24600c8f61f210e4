"""The gRPC server with a service that only repeats its request, and gRPC's own client."""

import queue
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from serving.model_server.rpc.grpc_server import GrpcServer
from testing.waiting import eventually

SECONDS = 20.0
MOST = 1_000_000  # bytes of a message
OPTIONS: list[tuple[str, int | str]] = [("grpc.max_receive_message_length", MOST)]


class Service:
    """Repeats a message; holds one until it may answer."""

    def __init__(self) -> None:
        self.came, self.may_answer = threading.Semaphore(0), threading.Event()

    def echo(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        return body

    def hold(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        self.came.release()
        assert self.may_answer.wait(SECONDS)
        return body


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.may_answer.set()


@pytest.fixture
def make(service: Service, tmp_path: Path) -> Iterator[Callable[..., GrpcServer]]:
    made: list[GrpcServer] = []

    def make(threads: int = 4, options: list[tuple[str, int | str]] = OPTIONS, health: bool = True) -> GrpcServer:
        handler = grpc.unary_unary_rpc_method_handler
        methods: dict[str, Any] = {"Echo": handler(service.echo), "Hold": handler(service.hold)}
        server = GrpcServer({"x": methods}, threads, options, health)
        made.append(server)
        server.listen(f"unix:{tmp_path}/sock")
        server.start()
        return server

    yield make
    service.may_answer.set()
    for server in made:
        server.stop(0).wait(SECONDS)


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"unix:{tmp_path}/sock", [("grpc.max_receive_message_length", -1)]) as opened:
        yield opened


def ask(channel: grpc.Channel, method: str, message: bytes = b"", **options: Any) -> bytes:
    call: Any = channel.unary_unary(f"/x/{method}")
    return call(message, **{"timeout": SECONDS, **options})


def code_of(channel: grpc.Channel, method: str, message: bytes = b"", **options: Any) -> StatusCode:
    try:
        ask(channel, method, message, **options)
    except grpc.RpcError as error:
        return error.code()
    return StatusCode.OK


def holding(channel: grpc.Channel, service: Service) -> Any:
    """Return a call that is under way."""
    hold: Any = channel.unary_unary("/x/Hold")
    call = hold.future(b"late", timeout=SECONDS)
    assert service.came.acquire(timeout=SECONDS)
    return call


@pytest.mark.parametrize("size", [0, 256, 999_936])
def test_a_message_comes_back(make: Callable[..., GrpcServer], channel: grpc.Channel, size: int) -> None:
    make()
    assert ask(channel, "Echo", bytes(size)) == bytes(size)


def test_an_unknown_method_is_unimplemented(make: Callable[..., GrpcServer], channel: grpc.Channel) -> None:
    make()
    assert code_of(channel, "Nothing") is StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_message_that_is_too_large_is_refused_also_once_it_is_unpacked(
    make: Callable[..., GrpcServer], channel: grpc.Channel, compression: grpc.Compression | None
) -> None:
    make()
    small, large = bytes(MOST), BytesValue(value=bytes(MOST)).SerializeToString()
    assert ask(channel, "Echo", small, compression=compression) == small
    assert code_of(channel, "Echo", large, compression=compression) is StatusCode.RESOURCE_EXHAUSTED
    assert ask(channel, "Echo") == b""


def test_calls_wait_for_a_thread(make: Callable[..., GrpcServer], service: Service, channel: grpc.Channel) -> None:
    make(threads=1)
    held = holding(channel, service)
    echo: Any = channel.unary_unary("/x/Echo")
    waiting = [echo.future(bytes([number]), timeout=SECONDS) for number in range(50)]
    service.may_answer.set()
    assert [call.result() for call in waiting] == [bytes([number]) for number in range(50)]
    assert held.result() == b"late"


def test_calls_beyond_the_limit_are_refused(
    make: Callable[..., GrpcServer], service: Service, channel: grpc.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.model_server.rpc.grpc_server.MAX_CALLS", 2)
    make(threads=2)
    held = [holding(channel, service) for _ in range(2)]
    assert code_of(channel, "Echo") is StatusCode.RESOURCE_EXHAUSTED
    service.may_answer.set()
    assert [call.result() for call in held] == [b"late", b"late"]
    assert eventually(lambda: code_of(channel, "Echo") is StatusCode.OK)


def test_health_is_told_while_all_threads_are_taken(
    make: Callable[..., GrpcServer], service: Service, channel: grpc.Channel
) -> None:
    make(threads=1)
    holding(channel, service)
    stub = health_pb2_grpc.HealthStub(channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(health_pb2.HealthCheckRequest(service="y"), timeout=SECONDS)
    assert caught.value.code() is StatusCode.NOT_FOUND


def test_health_is_told_of_each_service(make: Callable[..., GrpcServer], channel: grpc.Channel) -> None:
    make()
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="x"), timeout=SECONDS)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize(
    ("health", "names"),
    [
        (True, ["grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection", "x"]),
        (False, ["grpc.reflection.v1alpha.ServerReflection", "x"]),
    ],
)
def test_reflection_lists_the_services_while_all_threads_are_taken(
    make: Callable[..., GrpcServer], service: Service, channel: grpc.Channel, health: bool, names: list[str]
) -> None:
    make(threads=1, health=health)
    holding(channel, service)
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = stub.ServerReflectionInfo(iter([ask]), timeout=SECONDS)
    assert sorted(each.name for each in answer.list_services_response.service) == names


def test_health_may_be_left_out(make: Callable[..., GrpcServer], channel: grpc.Channel) -> None:
    make(health=False)
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert caught.value.code() is StatusCode.UNIMPLEMENTED


def test_a_server_that_stops_finishes_calls_under_way_and_refuses_new_ones(
    make: Callable[..., GrpcServer], service: Service, channel: grpc.Channel
) -> None:
    server = make()
    held = holding(channel, service)
    ended = server.stop(SECONDS)
    eventually(lambda: code_of(channel, "Echo") is StatusCode.UNAVAILABLE)
    assert not ended.is_set()
    service.may_answer.set()
    assert held.result() == b"late"
    assert ended.wait(SECONDS)


def test_a_watch_ends_with_the_server(make: Callable[..., GrpcServer], channel: grpc.Channel) -> None:
    server = make()
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    assert server.stop(3600).wait(SECONDS)
    with pytest.raises(grpc.RpcError) as caught:
        next(watch)
    assert caught.value.code() in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED)


def test_a_stream_of_reflection_ends_with_the_server(make: Callable[..., GrpcServer], channel: grpc.Channel) -> None:
    server = make()
    questions: queue.Queue[Any] = queue.Queue()
    stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter(questions.get, None))
    questions.put(reflection_pb2.ServerReflectionRequest(list_services=""))
    assert next(stream).list_services_response.service
    assert server.stop(3600).wait(SECONDS)
    with pytest.raises(grpc.RpcError) as caught:
        next(stream)
    assert caught.value.code() in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED)
    questions.put(None)


def test_a_server_waits_no_longer_than_it_is_told(
    make: Callable[..., GrpcServer], service: Service, channel: grpc.Channel
) -> None:
    server = make()
    held = holding(channel, service)
    server.stop(0)
    assert held.exception().code() in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED)


def test_connections_that_grow_old_end_after_calls(make: Callable[..., GrpcServer], channel: grpc.Channel) -> None:
    """One call in some 30,000 meets a socket that was closed just before, which is grpcio's (1.85.3): a few may."""
    make(options=[("grpc.max_connection_age_ms", 10)])

    def answer(_: int) -> bytes | StatusCode:
        try:
            return ask(channel, "Echo", b"a", wait_for_ready=True)
        except grpc.RpcError as error:
            return error.code()

    with ThreadPoolExecutor(4) as threads:
        answers = Counter(threads.map(answer, range(1000)))
    assert answers.keys() <= {b"a", StatusCode.UNAVAILABLE}  # which a client may try again
    assert answers[b"a"] >= 990


def test_a_port_that_is_taken(make: Callable[..., GrpcServer]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="Failed to bind"):
        make().listen(f"127.0.0.1:{taken.getsockname()[1]}")


def test_two_servers_do_not_share_a_port(make: Callable[..., GrpcServer]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    GrpcServer({}, 1, OPTIONS, health=False).listen(address)
    with pytest.raises(OSError, match="Failed to bind"):
        GrpcServer({}, 1, OPTIONS, health=False).listen(address)


def test_the_sockets_file_goes_with_the_server(make: Callable[..., GrpcServer], tmp_path: Path) -> None:
    server = make()
    assert (tmp_path / "sock").is_socket()
    server.stop(0).wait(SECONDS)
    eventually(lambda: not (tmp_path / "sock").exists())
