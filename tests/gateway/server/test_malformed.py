"""Malformed HTTP gets an answer, or its connection closed, and stops nothing: real sockets, real gunicorn."""

import json
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from testing.fake_model_server import FakeModelServer
from testing.manifest import MANIFEST
from testing.running_gateway import Gateway, WarmGateway
from tests.gateway.server.raw import HEAD, connect

pytestmark = pytest.mark.slow
CHUNKED = HEAD + "Transfer-Encoding: chunked\r\n"
RAW = {"Content-Type": "application/octet-stream"}
SLOW_CLIENTS = 200


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    server, folder = FakeModelServer(), tmp_path_factory.mktemp("malformed")
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    running = WarmGateway(folder, server.address, workers=1, client_seconds=1, keepalive_seconds=2)
    yield running
    running.stop()
    server.stop()


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
        ("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", 400, "Bad Request"),
        ("GET /" + "x" * 5000 + " HTTP/1.1\r\n\r\n", 414, "URI Too Long"),
        ("GET / HTTP/1.1\r\nX: " + "x" * 9000 + "\r\n\r\n", 431, "Request Header Fields Too Large"),
        ("GET / HTTP/1.1\r\n" + "X: y\r\n" * 200 + "\r\n", 431, "Request Header Fields Too Large"),
        ("GET / HTTP/1.1\r\nbad header\r\n\r\n", 400, "Bad Request"),
        ("GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", 400, "Bad Request"),
        (HEAD + "Content-Length: ten\r\n\r\n", 400, "Bad Request"),
        (HEAD + "Content-Length: -1\r\n\r\n", 400, "Bad Request"),
        (HEAD + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400, "Bad Request"),
        (CHUNKED + "Content-Length: 5\r\n\r\n0\r\n\r\n", 400, "Bad Request"),
        (HEAD + "Transfer-Encoding: nonsense\r\n\r\n", 400, "Bad Request"),
        (CHUNKED + "\r\nxyz\r\n", 400, "Bad Request"),
        (CHUNKED + "\r\n5\r\nabcdefgh\r\n0\r\n\r\n", 400, "Bad Request"),
        (HEAD + "Content-Length: 784\r\n\r\nshort", 408, "Request Timeout"),
        (CHUNKED + "\r\n310\r\nshort", 408, "Request Timeout"),
        (CHUNKED + "\r\n0\r\nX: " + "x" * 500_000, 431, "Request Header Fields Too Large"),
        ("GET http://localhost:99999/ HTTP/1.1\r\n\r\n", 400, "Bad Request"),
    ],
)
def test_it_is_answered_as_a_problem(gateway: Gateway, request_text: str, status: int, title: str) -> None:
    found, problem = exchange(gateway, request_text.encode())
    assert (found, problem["status"], problem["title"]) == (status, status, title)
    assert str(problem["detail"]).startswith("This is no request that the gateway reads: ")
    assert len(gateway.workers()) == 1


def test_half_a_body_and_no_more_is_no_request(gateway: Gateway) -> None:
    """One image of two and the end of what the client sends: an answer for the one would be wrong."""
    with connect(gateway) as connection:
        connection.sendall((HEAD + "Content-Length: 1568\r\n\r\n").encode() + bytes(784))
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"its body is shorter than announced" in answer


def test_a_client_that_sends_no_more_gets_its_answer(gateway: Gateway) -> None:
    with connect(gateway) as connection:
        connection.sendall((HEAD + "Content-Length: 784\r\n\r\n").encode() + bytes(784))
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_requests_that_come_together_are_answered_in_their_order(gateway: Gateway) -> None:
    """The last of them is none, and refused when the others have their answers."""
    post = (HEAD + "Content-Length: 784\r\n\r\n").encode() + bytes(784)
    with connect(gateway) as connection:
        connection.sendall(post + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + post + b"nonsense\r\n\r\n")
        answers = connection.makefile("rb").read()
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", answers)
    assert statuses == [b"200", b"200", b"200", b"400"]
    assert answers.index(b'"alive"') > answers.index(b'"predictions"')


def test_whole_requests_are_answered_though_nonsense_and_the_end_follow(gateway: Gateway) -> None:
    with connect(gateway) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nnonsense\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answers = connection.makefile("rb").read()
    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"200", b"400"]


def test_a_request_that_offers_another_protocol_is_read_as_it_is(gateway: Gateway) -> None:
    """Java's client and curl offer HTTP/2 so, with the body behind."""
    offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    post = (HEAD + offer + "Content-Length: 784\r\n\r\n").encode() + bytes(784)
    with connect(gateway) as connection:
        connection.sendall(post[:200])
        connection.sendall(post[200:] + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answers = connection.makefile("rb").read()
    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"200", b"200"]
    assert b'"predictions"' in answers


def test_a_trailer_is_no_header(gateway: Gateway) -> None:
    body = "2\r\n{}\r\n0\r\nX-Request-Id: forged\r\n\r\n"
    head = CHUNKED.replace("/predict", "/feedback").replace("octet-stream", "json") + "Connection: close\r\n\r\n"
    with connect(gateway) as connection:
        connection.sendall((head + body).encode())
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 422 ") and b"forged" not in answer


def test_a_request_that_is_refused_early_is_answered_once(manifest_folder: Path, fake_server: FakeModelServer) -> None:
    with WarmGateway(manifest_folder, fake_server.address, workers=1, api_keys="0" * 64) as locked:
        with connect(locked) as connection:
            connection.sendall((CHUNKED + "\r\n").encode())
            answer = connection.makefile("rb")
            assert answer.readline() == b"HTTP/1.1 401 Unauthorized\r\n"
            connection.sendall(b"no chunk\r\n")
            with suppress(ConnectionError):
                assert b"HTTP/1.1" not in answer.read()
        assert requests.get(f"{locked.url}/healthz", timeout=20).ok


def test_a_client_that_sends_on_after_its_refusal_is_read_no_further(
    manifest_folder: Path, fake_server: FakeModelServer
) -> None:
    """Its answer comes, and then the connection ends, however much it wants to send.

    A megabyte is read where that may be nearly all; where much more is announced, nothing is.
    """
    with WarmGateway(manifest_folder, fake_server.address, workers=1, api_keys="0" * 64) as locked:
        for head, status, read in (
            (HEAD + f"Content-Length: {2**30}\r\n\r\n", b"413", False),
            (HEAD + f"Content-Length: {2**23}\r\n\r\n", b"401", False),
            (HEAD + f"Content-Length: {2**22}\r\n\r\n", b"401", True),
            (CHUNKED + f"\r\n{2**30:x}\r\n", b"401", True),
            (HEAD.replace("/predict", "/nothing") + f"Content-Length: {2**20}\r\n\r\n", b"404", True),
        ):
            with connect(locked) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
                connection.sendall(head.encode())
                assert connection.recv(12) == b"HTTP/1.1 " + status
                sent = 0
                with suppress(ConnectionError):
                    while True:
                        sent += connection.send(bytes(2**16))
                assert (sent > 2**20) == read and sent < 2**26  # the kernel holds some


@pytest.mark.parametrize(("path", "most"), [("/feedback", 2**20), ("/experiments", 2**20), ("/predict", 2**23)])
def test_each_path_has_a_limit_of_its_own(gateway: Gateway, path: str, most: int) -> None:
    head = HEAD.replace("/predict", path)
    found, problem = exchange(gateway, (head + f"Content-Length: {most + 1}\r\n\r\n").encode())
    assert found == 413
    assert f"larger than {most:,} bytes" in str(problem["detail"])
    with connect(gateway) as connection:
        connection.sendall((head + f"Content-Length: {most}\r\nExpect: 100-continue\r\n\r\n").encode())
        assert connection.recv(12) == (b"HTTP/1.1 401" if path == "/experiments" else b"HTTP/1.1 100")


@pytest.mark.slow
def test_a_request_refused_by_its_length_is_logged_and_counted_once(
    manifest_folder: Path, fake_server: FakeModelServer
) -> None:
    """The application does not begin with it, whatever it would say to its head."""
    log = manifest_folder / "gateway.log"
    with WarmGateway(manifest_folder, fake_server.address, log=log, workers=1, api_keys="0" * 64) as locked:
        for path in ("/predict", "/nothing"):
            found, _ = exchange(locked, (HEAD.replace("/predict", path) + f"Content-Length: {2**30}\r\n\r\n").encode())
            assert found == 413
        assert requests.get(f"{locked.url}/healthz", timeout=20).ok
        counted = requests.get(f"{locked.url}/metrics", timeout=20).text
    answered = [json.loads(line)["status"] for line in log.read_text().splitlines() if '"status"' in line]
    assert [status for status in answered if status != 200] == [413, 413]
    assert 'gateway_refused_total{reason="body"} 2.0' in counted
    assert 'reason="key"' not in counted


def test_clients_that_leave_while_requests_wait_stop_no_thread(
    manifest_folder: Path, fake_server: FakeModelServer
) -> None:
    large = b"GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with WarmGateway(manifest_folder, fake_server.address, workers=1, threads=2) as small:
        bundle = requests.get(f"{small.url}/docs", timeout=20).text
        path = re.search(r"/docs/static/[^\"]*bundle[^\"]*\.js", bundle)
        large = large.replace(b"/docs/static/swagger-ui-bundle.js", path[0].encode()) if path else large
        for _ in range(4):
            with connect(small) as connection:
                connection.sendall(large + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                connection.recv(1000)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for _ in range(4):
            assert requests.get(f"{small.url}/healthz", timeout=20).ok


def test_a_client_that_waits_to_be_told_to_go_on_is_told(gateway: Gateway) -> None:
    with connect(gateway) as connection:
        connection.sendall((HEAD + "Content-Length: 784\r\nExpect: 100-continue\r\n\r\n").encode())
        answer = connection.makefile("rb")
        assert answer.readline() == b"HTTP/1.1 100 Continue\r\n"
        connection.sendall(bytes(784))
        assert answer.readline() == b"\r\n"
        assert answer.readline() == b"HTTP/1.1 200 OK\r\n"


def test_a_client_that_waits_with_too_large_a_body_is_refused(gateway: Gateway) -> None:
    with connect(gateway) as connection:
        connection.sendall((HEAD + f"Content-Length: {2**30}\r\nExpect: 100-continue\r\n\r\n").encode())
        assert connection.makefile("rb").readline() == b"HTTP/1.1 413 Content Too Large\r\n"


def test_a_header_with_an_underscore_is_no_other_header(gateway: Gateway) -> None:
    """Flask would take X_Request_Id for X-Request-Id."""
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX_Request_Id: forged\r\nConnection: close\r\n\r\n"
    with connect(gateway) as connection:
        connection.sendall(request)
        assert b"forged" not in connection.makefile("rb").read()


def test_a_body_in_chunks_reaches_flask_whole(gateway: Gateway) -> None:
    parts = (part for part in (b'{"items": [{"prediction_id": "x", ', b'"label": "1"}]}'))
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{gateway.url}/feedback", data=parts, headers=headers, timeout=20)
    assert (answer.status_code, answer.json()["items"][0]["status"]) == (200, 404)


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


@pytest.mark.parametrize("start", ["", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"])
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


def test_a_whole_url_as_target_names_the_host(gateway: Gateway) -> None:
    with connect(gateway) as connection:
        connection.sendall(b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 421"
    with connect(gateway) as connection:
        connection.sendall(b"GET http://localhost:80/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("target", ["http://localhost", "http://localhost?a=b"])
def test_a_whole_url_without_a_path_asks_for_the_root(gateway: Gateway, target: str) -> None:
    with connect(gateway) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_target_that_is_no_url_takes_no_answer_from_the_request_before(gateway: Gateway) -> None:
    with connect(gateway) as connection:
        first, second = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET http://a:99999/ HTTP/1.1\r\n\r\n"
        connection.sendall(first + second)
        assert re.findall(rb"HTTP/1\.1 (\d+)", connection.makefile("rb").read()) == [b"200", b"400"]


def test_many_offers_of_another_protocol_at_once_are_refused(gateway: Gateway) -> None:
    offer = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    with connect(gateway) as connection:
        connection.sendall(offer * 1000)
        statuses = re.findall(rb"HTTP/1\.1 (\d+)", connection.makefile("rb").read())
    assert set(statuses[:-1]) == {b"200"} and statuses[-1] == b"400"
    assert len(statuses) < 30
