"""The REST server's limits, with an API that only repeats its request."""

import contextlib
import gzip
import http.client
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from serving.model_server.metrics import Metrics
from serving.model_server.rest import body, protocol
from serving.model_server.rest.app import RestApp
from serving.model_server.rest.server import RestServer

MAX_BODY = 1000
SECONDS = 20
CLOSE = "Connection: close\r\n"
ABC = gzip.compress(b"abc", mtime=0)  # the same in each process that collects tests


class EchoApi:
    """Answers with the request."""

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        return 200, json.dumps([method, path, len(body)])


@contextlib.contextmanager
def serving(max_connections: int, api: Any) -> Iterator[RestServer]:
    app = RestApp(api, Metrics(), "/metrics", threads=4, max_body=MAX_BODY)
    server = RestServer(("127.0.0.1", 0), app, max_connections, shutdown_seconds=SECONDS)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[RestServer]:
    with serving(16, EchoApi()) as server:
        yield server


def connect(server: RestServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)


def exchange(server: RestServer, *requests: bytes) -> bytes:
    """Send raw requests on one connection and return all that comes back until the server closes it."""
    with connect(server) as connection:
        for request in requests:
            connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def post(headers: str, body: bytes = b"") -> bytes:
    return f"POST /v1/x?y=1 HTTP/1.1\r\nHost: h\r\n{headers}\r\n".encode() + body


def status_of(connection: socket.socket, request: bytes) -> int:
    connection.sendall(request)
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status


def test_a_connection_serves_one_request_after_the_other(server: RestServer) -> None:
    answer = exchange(server, post("Content-Length: 3\r\n", b"abc"), post("Content-Length: 0\r\n" + CLOSE))
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert b'["POST", "/v1/x", 3]' in answer
    assert b'["POST", "/v1/x", 0]' in answer


@pytest.mark.parametrize(
    ("headers", "body", "size"),
    [
        ("Content-Length: 1000\r\n", b"x" * 1000, 1000),
        ("Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\nA;more\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n", 13),
        (f"Content-Encoding: gzip\r\nContent-Length: {len(ABC)}\r\n", ABC, 3),
        (f"Content-Encoding: deflate\r\nContent-Length: {len(zlib.compress(b'abc'))}\r\n", zlib.compress(b"abc"), 3),
    ],
)
def test_a_body_may_come_in_several_forms(server: RestServer, headers: str, body: bytes, size: int) -> None:
    assert f'["POST", "/v1/x", {size}]'.encode() in exchange(server, post(headers + CLOSE, body))


BOMB = gzip.compress(b"0" * 10_000_000, mtime=0)
assert len(BOMB) > MAX_BODY
SMALL_BOMB = gzip.compress(b"0" * 100_000, mtime=0)


@pytest.mark.parametrize(
    ("headers", "body", "status", "message"),
    [
        ("Content-Length: 1001\r\n", b"", 413, "A body may have 1000 bytes; this one has more"),
        ("Content-Length: 1001\r\n", b"x" * 1001, 413, "A body may have 1000 bytes; this one has more"),
        ("Transfer-Encoding: chunked\r\n", b"200\r\n" + b"x" * 512 + b"\r\n200\r\n" + b"x" * 512, 413, "1000 bytes"),
        ("Content-Encoding: br\r\nContent-Length: 0\r\n", b"", 415, "Content-Encoding 'br' is not supported"),
        ("Content-Encoding: gzip\r\nContent-Length: 3\r\n", b"abc", 400, "The body does not unpack"),
        ("Content-Encoding: gzip\r\nContent-Length: 12\r\n", ABC[:12], 400, "ends too early"),
        (f"Content-Encoding: gzip\r\nContent-Length: {len(SMALL_BOMB)}\r\n", SMALL_BOMB, 413, "1000 bytes"),
        (f"Content-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n", BOMB, 413, "1000 bytes"),
    ],
)
def test_a_body_that_is_wrong_or_too_large_is_refused(
    server: RestServer, headers: str, body: bytes, status: int, message: str
) -> None:
    answer = exchange(server, post(headers + CLOSE, body))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert message in json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def test_the_answer_to_a_flood_is_not_lost(server: RestServer) -> None:
    with connect(server) as connection:
        connection.sendall(post("Content-Length: 50000000\r\n"))
        connection.sendall(bytes(5_000_000))
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"zzz\r\n\r\n",
        b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 200_000 + b"\r\n",
        post("Content-Length: -1\r\n"),
        post("Content-Length: ten\r\n"),
        post("Content-Length: " + "9" * 50 + "\r\n"),
        post("Transfer-Encoding: gzip\r\n"),
        post("Transfer-Encoding: chunked\r\n", b"zz\r\n"),
        post("Transfer-Encoding: chunked\r\n", b"-1\r\n"),
        post("Transfer-Encoding: chunked\r\n", b"3\r\nabcdef\r\n"),
    ],
)
def test_malformed_http_and_endless_heads_are_refused(server: RestServer, request_bytes: bytes) -> None:
    with connect(server) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it need not be read to its end
            connection.sendall(request_bytes)
        answer = connection.recv(1000)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ", b"HTTP/1.1 501 ")), answer


def test_a_head_has_no_body(server: RestServer) -> None:
    head, _, rest = exchange(server, b"HEAD /v1/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").partition(
        b"\r\n\r\n"
    )
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert rest == b""


def test_metrics_are_found_at_their_path(server: RestServer) -> None:
    answer = exchange(server, b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert b"content-type: text/plain" in answer.lower()
    assert b"# TYPE :tensorflow:serving:request_count counter" in answer


def test_one_connection_too_many_is_sent_away() -> None:
    with serving(1, EchoApi()) as server, connect(server) as first:
        assert status_of(first, post("Content-Length: 0\r\n")) == 200
        answer = exchange(server)
        assert status_of(first, post("Content-Length: 0\r\n")) == 200  # the one that is served goes on
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"Retry-After: 1\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"error": "Too many connections; try again."}


@pytest.mark.parametrize(
    "part", [b"", b"GET /v1/x HT", post("Content-Length: 0\r\n") + b"GET /v1/x HT"], ids=["nothing", "half", "later"]
)
def test_a_head_that_does_not_come_ends_the_connection(monkeypatch: pytest.MonkeyPatch, part: bytes) -> None:
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.2)
    with serving(1, EchoApi()) as server, connect(server) as connection:
        connection.sendall(part)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(1000):
                pass


def test_a_body_that_does_not_come_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(body, "LINGER_SECONDS", 0.2)
    with serving(1, EchoApi()) as server:
        assert exchange(server, post("Content-Length: 3\r\n", b"ab")).startswith(b"HTTP/1.1 408 ")


class SlowApi:
    """Answers once it may."""

    def __init__(self) -> None:
        self.asked, self.may_answer = threading.Semaphore(0), threading.Event()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        self.asked.release()
        assert self.may_answer.wait(SECONDS)
        return 200, "{}"


def test_a_request_that_takes_long_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.2)  # which counts only while no request is under way
    api = SlowApi()
    with serving(16, api) as server, ThreadPoolExecutor() as pool:
        slow = pool.submit(exchange, server, post("Content-Length: 0\r\n" + CLOSE))
        assert api.asked.acquire(timeout=SECONDS)
        with connect(server) as idle, contextlib.suppress(ConnectionResetError):
            assert idle.recv(1000) == b""  # it has ended, so the limit has passed
        api.may_answer.set()
        assert slow.result(SECONDS).startswith(b"HTTP/1.1 200 OK")


def test_stopping_waits_for_requests_under_way() -> None:
    api = SlowApi()
    app = RestApp(api, Metrics(), None, threads=1, max_body=MAX_BODY)  # type: ignore[arg-type]
    server = RestServer(("127.0.0.1", 0), app, max_connections=2, shutdown_seconds=SECONDS)
    server.start()
    port = server.port
    with ThreadPoolExecutor() as pool, connect(server):
        answer = pool.submit(exchange, server, post("Content-Length: 0\r\n"))
        assert api.asked.acquire(timeout=SECONDS)
        stopped = pool.submit(server.stop)
        while True:  # until the port is closed
            try:
                socket.create_connection(("127.0.0.1", port), timeout=SECONDS).close()
            except ConnectionRefusedError:
                break
            except ConnectionResetError:  # it waited to be accepted as the port was closed
                pass
        assert not stopped.done()
        api.may_answer.set()
        assert answer.result(SECONDS).startswith(b"HTTP/1.1 200 OK")
        stopped.result(SECONDS)


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        RestServer(taken.getsockname(), RestApp(EchoApi(), Metrics(), None, 1, 1), 1, 1)  # type: ignore[arg-type]
