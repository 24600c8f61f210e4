"""Clients share a worker's connections and the bytes that it holds: real sockets, real gunicorn."""

import re
import select
import socket
import struct
import threading
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import requests

from testing.fake_model_server import FakeModelServer
from testing.running_gateway import Gateway, WarmGateway
from testing.waiting import PATIENCE, eventually
from tests.gateway.server.raw import HEAD, connect, connections

pytestmark = pytest.mark.slow
RAW = {"Content-Type": "application/octet-stream"}


def test_bodies_that_are_held_are_bounded_for_all_together(manifest_folder: Path, fake_server: FakeModelServer) -> None:
    """A client may hold half; beyond it loses its largest body. Another client's has room."""
    limits: dict[str, Any] = {"max_body_bytes": 2**20, "max_other_body_bytes": 1024, "max_buffered_bytes": 2**21}
    with WarmGateway(manifest_folder, fake_server.address, workers=1, **limits) as small:
        greedy = [connect(small) for _ in range(3)]
        for number, connection in enumerate(greedy):
            connection.sendall((HEAD + f"Content-Length: {2**20}\r\n\r\n").encode() + bytes(2**20 - 4 + number))
        refused = [each for each in greedy if _answers(each)]
        assert [each.recv(12) for each in refused] == [b"HTTP/1.1 503"] * 2
        with socket.create_connection(("127.0.0.1", small.port), 20, ("127.0.0.2", 0)) as other:
            other.sendall((HEAD + "Content-Length: 7840\r\n\r\n").encode() + bytes(7840))
            assert other.recv(12) == b"HTTP/1.1 200"
        assert 'gateway_refused_total{reason="buffered"}' in requests.get(small.url + "/metrics", timeout=20).text
        for connection in greedy:
            connection.close()


@pytest.mark.parametrize("end", ["reset", "refused"])
def test_a_request_is_held_until_it_has_been_worked_on(
    manifest_folder: Path, fake_server: FakeModelServer, end: str
) -> None:
    """Its client can neither go, nor have another request refused, to get room for more."""
    answered = threading.Event()
    fake_server.fault = lambda context: answered.wait(PATIENCE)
    body = bytes(784_000)
    request = (HEAD + f"Content-Length: {len(body)}\r\n\r\n").encode() + body
    limits: dict[str, Any] = {"max_body_bytes": 2**20, "max_other_body_bytes": 1024, "max_buffered_bytes": 2**21}
    with WarmGateway(manifest_folder, fake_server.address, workers=1, deadline_ms=60_000, **limits) as small:
        first, second = connect(small), connect(small)
        first.sendall(request)
        eventually(lambda: bool(fake_server.requests), "the first request to be worked on")
        if end == "reset":
            first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            first.close()
            eventually(lambda: connections(small) == [1], "the gateway to note that its client is gone")
        else:
            first.sendall(b"POST /feedback HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n")
            assert requests.get(small.url + "/healthz", timeout=PATIENCE).ok  # it is read by now
        second.sendall(request)
        assert second.recv(12) == b"HTTP/1.1 503"
        answered.set()
        eventually(lambda: requests.post(small.url + "/predict", body, headers=RAW).ok, "room for another")
        second.close()
        first.close()


def test_requests_that_wait_on_a_connection_count_as_held(manifest_folder: Path, fake_server: FakeModelServer) -> None:
    limits: dict[str, Any] = {"max_body_bytes": 2**19, "max_other_body_bytes": 1024, "max_buffered_bytes": 2**19}
    with WarmGateway(manifest_folder, fake_server.address, workers=1, **limits) as small, connect(small) as connection:
        with suppress(ConnectionError):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000)
        statuses = re.findall(rb"HTTP/1\.1 (\d+)", connection.makefile("rb").read())
        assert set(statuses[:-1]) == {b"200"} and statuses[-1] == b"503"
        assert len(statuses) < 1000
        assert requests.get(f"{small.url}/healthz", timeout=20).ok


def test_answers_that_nobody_takes_count_as_held(manifest_folder: Path, fake_server: FakeModelServer) -> None:
    """One of the clients that do not read loses its connection when they hold too much; others lose nothing."""
    limits: dict[str, Any] = {"max_body_bytes": 2**18, "max_other_body_bytes": 1024, "max_buffered_bytes": 2**18}
    with WarmGateway(manifest_folder, fake_server.address, workers=1, client_seconds=600, **limits) as small:
        slow = [socket.socket() for _ in range(8)]
        for connection in slow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", small.port))
            large = b"GET /docs/static/js/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.sendall(large * 5)  # more than the kernel's buffers hold
        buffered = 'gateway_refused_total{reason="buffered"}'
        eventually(lambda: buffered in requests.get(f"{small.url}/metrics", timeout=20).text, "one to be dropped")
        with socket.create_connection(("127.0.0.1", small.port), 20, ("127.0.0.2", 0)) as other:
            other.sendall((HEAD + "Content-Length: 7840\r\n\r\n").encode() + bytes(7840))
            assert other.recv(12) == b"HTTP/1.1 200"
        for connection in slow:
            connection.close()


def _answers(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 1)[0])


def test_one_client_leaves_connections_to_others(manifest_folder: Path, fake_server: FakeModelServer) -> None:
    limits: dict[str, Any] = {"connections": 20, "connections_per_client": 10}
    with WarmGateway(manifest_folder, fake_server.address, workers=1, **limits) as small:
        greedy = [connect(small) for _ in range(10)]
        for connection in greedy:
            connection.sendall((HEAD + "Content-Length: 784\r\n\r\nhalf").encode())
        other = HTTPConnection("127.0.0.1", small.port, 20, source_address=("127.0.0.2", 0))
        assert _status(other) == 200
        its_own = other.sock
        more = [connect(small) for _ in range(30)]
        assert greedy[0].recv(1) == b""  # the longest waiting one of the same client went
        assert _status(other) == 200
        assert other.sock is its_own
        other.close()
        for connection in greedy + more:
            connection.close()


def _status(connection: HTTPConnection) -> int:
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_where_there_are_too_many_connections_the_one_that_is_idle_longest_goes(
    manifest_folder: Path, fake_server: FakeModelServer
) -> None:
    with WarmGateway(manifest_folder, fake_server.address, workers=1, connections=3) as small:
        idle = [connect(small) for _ in range(4)]
        assert idle[0].recv(1) == b""  # closed
        assert requests.get(f"{small.url}/healthz", timeout=20).ok
        for connection in idle:
            connection.close()


def test_heads_count_as_held(manifest_folder: Path, fake_server: FakeModelServer) -> None:
    """Unfinished heads of one client, too; each is bounded as a whole."""
    limits: dict[str, Any] = {"max_body_bytes": 2**16, "max_other_body_bytes": 1024, "max_buffered_bytes": 2**17}
    field = "X: " + "x" * 8000 + "\r\n"
    with WarmGateway(manifest_folder, fake_server.address, workers=1, **limits) as small:
        greedy = [connect(small) for _ in range(4)]
        for connection in greedy:
            connection.sendall((HEAD + field * 7).encode())
        eventually(lambda: any(_answers(each) for each in greedy), "a refusal")
        [refused, *_] = [each for each in greedy if _answers(each)]
        assert refused.recv(12) == b"HTTP/1.1 503"
        with connect(small) as long:
            long.sendall((HEAD + field * 9 + "\r\n").encode())
            assert long.recv(12) == b"HTTP/1.1 431"
        for connection in greedy:
            connection.close()


def test_a_client_that_takes_no_answer_keeps_no_thread(manifest_folder: Path, fake_server: FakeModelServer) -> None:
    large = b"GET /docs/static/js/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with WarmGateway(manifest_folder, fake_server.address, workers=1, threads=2, client_seconds=600) as small:
        slow = [socket.socket() for _ in range(4)]
        for connection in slow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", small.port))
            connection.sendall(large * 5)
        many = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3000
        with connect(small) as deaf:
            deaf.sendall(many)
            for path in ("/healthz", "/variants", "/healthz"):
                assert requests.get(small.url + path, timeout=10).ok
        for connection in slow:
            connection.close()


@pytest.mark.parametrize("when", ["while it takes none", "before its first"])
def test_a_client_that_takes_no_answer_does_not_hold_up_the_end(
    manifest_folder: Path, fake_server: FakeModelServer, when: str
) -> None:
    """Its requests that wait for an answer still get none of the time that those under way have."""
    arrived, released = threading.Event(), threading.Event()

    def hold(context: object) -> None:
        arrived.set()
        released.wait(20)

    large = b"GET /docs/static/js/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5
    with (
        WarmGateway(manifest_folder, fake_server.address, workers=1, client_seconds=600) as small,
        socket.socket() as deaf,
    ):
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", small.port))
        if when == "before its first":
            fake_server.fault = hold
            deaf.sendall((HEAD + "Content-Length: 784\r\n\r\n").encode() + bytes(784) + large)
            assert arrived.wait(20)
        else:
            deaf.sendall(large)
            assert deaf.recv(12) == b"HTTP/1.1 200"
        small.process.terminate()
        eventually(lambda: not _accepts(small), "the end of listening")
        released.set()
        assert small.process.wait(20) == 0


def _accepts(gateway: Gateway) -> bool:
    with suppress(OSError), connect(gateway):
        return True
    return False
