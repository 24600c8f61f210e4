"""What is no proper HTTP gets an answer, or its connection closed, and stops nothing: real sockets, real gunicorn."""

import json
import socket
from collections.abc import Iterator

import pytest
import requests

from testing.fake_model_server import FakeModelServer
from testing.manifest import MANIFEST
from testing.running_gateway import Gateway

pytestmark = pytest.mark.slow
HEAD = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
CHUNKED = HEAD + "Transfer-Encoding: chunked\r\n"
RAW = {"Content-Type": "application/octet-stream"}
SLOW_CLIENTS = 200


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    server, folder = FakeModelServer(), tmp_path_factory.mktemp("malformed")
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    running = Gateway(folder, server.address, workers=1, client_seconds=1, keepalive_seconds=2)
    yield running
    running.stop()
    server.stop()


def connect(gateway: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=20)


def exchange(gateway: Gateway, request: bytes) -> tuple[int, dict[str, object]]:
    """Send bytes; return the status and the problem of the answer."""
    with connect(gateway) as connection:
        connection.sendall(request)
        answer = connection.makefile("rb")
        status = int(answer.readline().split()[1])
        headers = dict(line.decode().rstrip().split(": ", 1) for line in iter(answer.readline, b"\r\n"))
        assert headers["Content-Type"] == "application/problem+json"
        assert headers["X-Content-Type-Options"] == "nosniff"
        return status, json.loads(answer.read(int(headers["Content-Length"])))


@pytest.mark.parametrize(
    ("request_text", "status", "title"),
    [
        ("nonsense\r\n\r\n", 400, "Bad Request"),
        ("GET / HTTP/9.9\r\n\r\n", 400, "Bad Request"),
        ("GET /" + "x" * 5000 + " HTTP/1.1\r\n\r\n", 414, "URI Too Long"),
        ("GET / HTTP/1.1\r\nX: " + "x" * 9000 + "\r\n\r\n", 431, "Request Header Fields Too Large"),
        ("GET / HTTP/1.1\r\n" + "X: y\r\n" * 200 + "\r\n", 431, "Request Header Fields Too Large"),
        ("GET / HTTP/1.1\r\nbad header\r\n\r\n", 400, "Bad Request"),
        ("GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", 400, "Bad Request"),
        (HEAD + "Content-Length: ten\r\n\r\n", 400, "Bad Request"),
        (HEAD + "Content-Length: -1\r\n\r\n", 400, "Bad Request"),
        (HEAD + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400, "Bad Request"),
        (CHUNKED + "Content-Length: 5\r\n\r\n0\r\n\r\n", 400, "Bad Request"),
        (CHUNKED + "\r\nxyz\r\n", 400, "Bad Request"),
        (CHUNKED + "\r\n5\r\nabcdefgh\r\n0\r\n\r\n", 400, "Bad Request"),
        (HEAD + "Content-Length: 784\r\n\r\nshort", 408, "Request Timeout"),
        (CHUNKED + "\r\n310\r\nshort", 408, "Request Timeout"),
    ],
)
def test_it_is_answered_as_a_problem(gateway: Gateway, request_text: str, status: int, title: str) -> None:
    found, problem = exchange(gateway, request_text.encode())
    assert (found, problem["status"], problem["title"]) == (status, status, title)
    assert str(problem["detail"]).startswith("This is no request that the gateway reads: ")
    assert len(gateway.workers()) == 1


def test_an_unknown_transfer_coding_is_refused(gateway: Gateway) -> None:
    found, _ = exchange(gateway, (HEAD + "Transfer-Encoding: nonsense\r\n\r\n").encode())
    assert found in (400, 501)  # by gunicorn's C parser, which may be missing, and by its other one


def test_it_is_counted(gateway: Gateway) -> None:
    exchange(gateway, b"nonsense\r\n\r\n")
    assert 'gateway_refused_total{reason="malformed"}' in requests.get(gateway.url + "/metrics", timeout=10).text


def test_a_client_that_does_not_take_its_answers_is_cut_off(gateway: Gateway) -> None:
    body = bytes(784 * 1000)
    request = (HEAD + f"Content-Length: {len(body)}\r\n\r\n").encode() + body
    with connect(gateway) as connection, pytest.raises(ConnectionError):
        for _ in range(100):  # of which the answers are more than the kernel's buffers hold
            connection.sendall(request)
    assert requests.get(gateway.url + "/healthz", timeout=20).ok


@pytest.mark.parametrize("start", ["", "GET /healthz HT", "GET /healthz HTTP/1.1\r\n\r\n"])
def test_a_connection_without_a_request_is_closed_after_a_while(gateway: Gateway, start: str) -> None:
    with connect(gateway) as connection:
        connection.sendall(start.encode())
        answer = connection.makefile("rb").read()
    assert answer[:15] == (b"HTTP/1.1 200 OK" if start.endswith("\n") else b"")


@pytest.mark.parametrize("start", ["", "POST /pre", HEAD, HEAD + "Content-Length: 784\r\n\r\nabc", CHUNKED + "\r\n1"])
def test_slow_clients_do_not_stop_others(gateway: Gateway, start: str) -> None:
    slow = [connect(gateway) for _ in range(SLOW_CLIENTS)]
    try:
        for connection in slow:
            connection.sendall(start.encode())
        for _ in range(20):
            assert requests.post(gateway.url + "/predict", data=bytes(784), headers=RAW, timeout=10).ok
    finally:
        for connection in slow:
            connection.close()
