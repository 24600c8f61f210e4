"""The HTTP server's limits, with an API behind it that only repeats what it was asked."""

import contextlib
import gzip
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from serving.model_server.metrics import Metrics
from serving.model_server.rest.http_server import HttpServer

MAX_BODY = 1000
SECONDS = 10
ABC = gzip.compress(b"abc", mtime=0)  # the same in each process that collects tests


class EchoApi:
    """Answers with the request."""

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        return 200, json.dumps([method, path, len(body)])


@contextlib.contextmanager
def listening(max_connections: int, api: Any) -> Iterator[HttpServer]:
    server = HttpServer(("127.0.0.1", 0), api, Metrics(), "/metrics", max_connections, max_body_bytes=MAX_BODY)
    server.start()
    yield server
    server.stop(SECONDS)


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with listening(16, EchoApi()) as server:
        yield server


def exchange(server: HttpServer, *requests: bytes) -> bytes:
    """Send raw requests on one connection and return all that comes back until the server closes it."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=SECONDS) as connection:
        for request in requests:
            connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def post(headers: str, body: bytes = b"") -> bytes:
    return f"POST /v1/x?y=1 HTTP/1.1\r\nHost: h\r\n{headers}\r\n".encode() + body


def test_a_connection_serves_one_request_after_the_other(server: HttpServer) -> None:
    answer = exchange(server, post("Content-Length: 3\r\n", b"abc"), post("Content-Length: 0\r\n"))
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
def test_a_body_may_come_in_several_forms(server: HttpServer, headers: str, body: bytes, size: int) -> None:
    assert f'["POST", "/v1/x", {size}]'.encode() in exchange(server, post(headers, body))


BOMB = gzip.compress(b"0" * 10_000_000, mtime=0)
assert len(BOMB) > MAX_BODY
SMALL_BOMB = gzip.compress(b"0" * 100_000, mtime=0)


@pytest.mark.parametrize(
    ("headers", "body", "status", "message"),
    [
        ("Content-Length: 1001\r\n", b"", 413, "A body may have 1000 bytes; this one has more"),
        ("Content-Length: " + "9" * 50 + "\r\n", b"", 413, "A body may have 1000 bytes"),
        ("Content-Length: -1\r\n", b"", 400, "Content-Length '-1' is not a number"),
        ("Content-Length: ten\r\n", b"", 400, "Content-Length 'ten' is not a number"),
        ("Content-Length: 10\r\n", b"abc", 400, "The body ends after 3 of 10 bytes"),
        ("Transfer-Encoding: gzip\r\n", b"", 400, "Transfer-Encoding must be 'chunked'"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"abc", 400, "and no Content-Length with it"),
        ("Transfer-Encoding: chunked\r\n", b"zz\r\n", 400, "A chunk of the body has the size 'zz'"),
        ("Transfer-Encoding: chunked\r\n", b"-1\r\n", 400, "A chunk of the body has the size '-1'"),
        ("Transfer-Encoding: chunked\r\n", b"3\r\nabcdef\r\n", 400, "A chunk of the body is longer than it says"),
        ("Transfer-Encoding: chunked\r\n", b"FFFFFFFF\r\n", 413, "A body may have 1000 bytes"),
        ("Transfer-Encoding: chunked\r\n", b"200\r\n" + b"x" * 512 + b"\r\n200\r\n", 413, "A body may have 1000 bytes"),
        ("Content-Encoding: br\r\nContent-Length: 0\r\n", b"", 415, "Content-Encoding 'br' is not supported"),
        ("Content-Encoding: gzip\r\nContent-Length: 3\r\n", b"abc", 400, "The body does not unpack"),
        ("Content-Encoding: gzip\r\nContent-Length: 12\r\n", ABC[:12], 400, "ends too early"),
        (f"Content-Encoding: gzip\r\nContent-Length: {len(SMALL_BOMB)}\r\n", SMALL_BOMB, 413, "1000 bytes"),
        (f"Content-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n", BOMB, 413, "1000 bytes"),
    ],
)
def test_a_body_that_is_wrong_or_too_large_is_refused(
    server: HttpServer, headers: str, body: bytes, status: int, message: str
) -> None:
    answer = exchange(server, post(headers, body))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert message in json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"zzz\r\n\r\n", 400),
        (b"GET /v1/x HTTP/9.9\r\n\r\n", 505),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /v1/x HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"BREW /v1/x HTTP/1.1\r\n\r\n", 501),
        (b"GET /zzz HTTP/1.1\r\n\r\n", 404),
    ],
)
def test_what_is_no_http_or_has_no_end_is_refused(server: HttpServer, request_bytes: bytes, status: int) -> None:
    assert f" {status} ".encode() in exchange(server, request_bytes).split(b"\n")[0]


def test_a_head_has_no_body(server: HttpServer) -> None:
    head, _, body = exchange(server, b"HEAD /v1/x HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == b""


def test_metrics_are_found_at_their_path(server: HttpServer) -> None:
    answer = exchange(server, b"GET /metrics HTTP/1.1\r\n\r\n")
    assert b"Content-Type: text/plain" in answer
    assert b"# TYPE :tensorflow:serving:request_count counter" in answer


def test_one_connection_too_many_is_sent_away() -> None:
    request = post("Content-Length: 0\r\n")
    with (
        listening(1, EchoApi()) as server,
        socket.create_connection(("127.0.0.1", server.server_port), SECONDS) as first,
    ):
        first.sendall(request)
        assert first.recv(100).startswith(b"HTTP/1.1 200 OK")
        answer = exchange(server)
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n")
    assert b"Too many connections" in answer


class SlowApi:
    """Answers once it may."""

    def __init__(self) -> None:
        self.asked, self.may_answer = threading.Event(), threading.Event()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        self.asked.set()
        assert self.may_answer.wait(SECONDS)
        return 200, "{}"


def test_stopping_waits_for_requests_under_way() -> None:
    api = SlowApi()
    with listening(1, api) as server, ThreadPoolExecutor() as pool:
        answer = pool.submit(exchange, server, post("Content-Length: 0\r\n"))
        assert api.asked.wait(SECONDS)
        server.stop(0)  # nobody new is let in any more
        with pytest.raises(ConnectionRefusedError):
            exchange(server)
        stopped = pool.submit(server.stop, SECONDS)
        api.may_answer.set()
        stopped.result(SECONDS)
        assert answer.result(SECONDS).startswith(b"HTTP/1.1 200 OK")
