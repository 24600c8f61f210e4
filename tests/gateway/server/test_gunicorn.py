"""The gateway as it is run: gunicorn with its configuration, two workers, over a made-up model server."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from PIL import Image

from testing.encoded import drawn, encode
from testing.fake_model_server import FakeModelServer
from testing.machine import ROOT
from testing.manifest import MANIFEST
from testing.running_gateway import COMMAND, Gateway, WarmGateway
from testing.waiting import eventually
from tests.gateway.server.raw import connect, connections

pytestmark = pytest.mark.slow
CONNECTIONS = 200
MOST_RESIDENT = 110e6  # bytes, of a worker
RAW = {"Content-Type": "application/octet-stream"}
PNG = {"Content-Type": "image/png"}


@pytest.fixture
def gateway(manifest_folder: Path, fake_server: FakeModelServer) -> Iterator[Gateway]:
    running = WarmGateway(manifest_folder, fake_server.address)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway for the tests that neither count what it did nor end it, executed so that its memory is its own."""
    server, folder = FakeModelServer(), tmp_path_factory.mktemp("gunicorn")
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    with Gateway(folder, server.address, decode_seconds=60) as running:  # this machine may be busy
        yield running
    server.stop()


def test_a_worker_stays_small(shared: Gateway) -> None:
    file = encode(drawn(5))
    for _ in range(50):  # over both workers
        assert requests.post(shared.url + "/predict", data=file, headers={"Content-Type": "image/png"}).ok
    sizes = [worker.memory_info().rss for worker in shared.workers()]
    assert len(sizes) == 2
    assert max(sizes) < MOST_RESIDENT


def test_metrics_are_those_of_all_workers(gateway: Gateway) -> None:
    for _ in range(40):
        requests.post(gateway.url + "/predict", data=bytes(784), headers=RAW)
    line = 'gateway_requests_total{path="/predict",status="200",variant="plain",version="7"} 40.0'
    for _ in range(5):  # whichever worker answers; the other counts a moment later
        eventually(lambda: line in requests.get(gateway.url + "/metrics").text.splitlines(), line)


def test_who_sends_one_request_after_the_other_does_not_keep_others_waiting(
    manifest_folder: Path, fake_server: FakeModelServer
) -> None:
    many, request, last = 1_500, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", b"Connection: close\r\n"
    taken = threading.Event()
    with (
        WarmGateway(manifest_folder, fake_server.address, workers=1, quiet=True) as running,
        socket.create_connection(("127.0.0.1", running.port)) as connection,
    ):
        connection.settimeout(60)

        def take() -> None:
            while connection.recv(2**20):
                pass
            taken.set()

        taking = threading.Thread(target=take)
        taking.start()
        sending = threading.Thread(
            target=connection.sendall, args=((request + b"\r\n") * (many - 1) + request + last + b"\r\n",)
        )
        sending.start()
        with requests.Session() as other:
            for _ in range(10):
                assert other.get(running.url + "/healthz", timeout=60).ok
        assert not taken.is_set()
        sending.join()
        taking.join()


def test_connections_are_spread_over_the_workers(shared: Gateway) -> None:
    opened = [connect(shared) for _ in range(CONNECTIONS)]
    eventually(lambda: sum(connections(shared)) >= CONNECTIONS, "all connections to be taken")
    assert min(connections(shared)) > CONNECTIONS / 6
    for connection in opened:
        connection.close()


@pytest.mark.parametrize("size", [9 * 2**20, 40 * 2**20])
def test_a_body_without_a_length_is_held_to_the_limit(shared: Gateway, size: int) -> None:
    """Read the answer as it comes; a client that does not look before it has sent everything may be cut off."""
    with socket.create_connection(("127.0.0.1", shared.port)) as connection:
        head = (
            "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(head.encode())
        chunk = b"%x\r\n%s\r\n" % (2**20, bytes(2**20))
        for _ in range(size // 2**20):
            try:
                connection.sendall(chunk)
            except ConnectionError:
                break
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    assert requests.get(shared.url + "/healthz").ok


def test_nothing_is_left_behind(gateway: Gateway) -> None:
    """Where the folder of the metrics is the operator's, all else in it stays."""
    assert list(gateway.metrics.glob("counter_*.db"))
    (gateway.metrics / "theirs").touch()
    assert gateway.stop() == 0
    assert [each.name for each in gateway.metrics.iterdir()] == ["theirs"]


def test_a_request_under_way_is_finished_at_the_end(gateway: Gateway, fake_server: FakeModelServer) -> None:
    arrived, released = threading.Event(), threading.Event()

    def hold(context: object) -> None:
        arrived.set()
        released.wait(timeout=10)

    fake_server.fault = hold
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(requests.post, gateway.url + "/predict", data=bytes(784), headers=RAW, timeout=30)
        assert arrived.wait(timeout=20)
        gateway.process.send_signal(signal.SIGTERM)
        released.set()
        assert answer.result().status_code == 200
    assert gateway.process.wait(timeout=40) == 0


def test_a_killed_worker_is_replaced(shared: Gateway) -> None:
    before = shared.workers()
    before[0].kill()
    deadline = time.monotonic() + 30
    while len(shared.workers()) < 2 or before[0] in shared.workers():
        assert time.monotonic() < deadline
    assert requests.get(shared.url + "/readyz", timeout=10).ok


@pytest.mark.parametrize(
    "command", [COMMAND, [*COMMAND[:3], "serving.gateway:create_app()"]], ids=["configured", "bare"]
)
def test_a_bad_setting_ends_the_start_with_one_clear_line(command: list[str], tmp_path: Path) -> None:
    metrics = tmp_path / "gateway-metrics-1"
    metrics.mkdir()
    environment = {**os.environ, "GATEWAY_THREADS": "many", "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    line = "GATEWAY_THREADS='many' cannot be used: it must be a whole number from 1 to 1024 (default 16)"
    assert done.stderr.splitlines().count(line) == 1
    assert "Traceback" not in done.stderr
    assert metrics.exists() == (command is not COMMAND)


def test_a_second_gateway_at_the_same_port_ends_with_one_clear_line(shared: Gateway, tmp_path: Path) -> None:
    """Else the kernel would spread connections over both."""
    environment = {**os.environ, "GATEWAY_PORT": str(shared.port), "PROMETHEUS_MULTIPROC_DIR": ""}
    done = subprocess.run(COMMAND, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30)
    line = f"Another program listens at 127.0.0.1:{shared.port}; stop it, or set GATEWAY_PORT to a free port"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, line)
    assert requests.get(shared.url + "/healthz", timeout=10).ok


@pytest.mark.parametrize("host", ["192.0.2.7", "a..b"])
def test_an_address_that_is_not_this_machines_ends_the_start_with_one_clear_line(host: str) -> None:
    environment = {**os.environ, "GATEWAY_HOST": host, "GATEWAY_PORT": "8080", "PROMETHEUS_MULTIPROC_DIR": ""}
    done = subprocess.run(COMMAND, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert re.fullmatch(
        rf"The gateway cannot listen at {re.escape(host)}:8080: .+; set GATEWAY_HOST and GATEWAY_PORT",
        done.stderr.splitlines()[-1],
    )
    assert "Traceback" not in done.stderr


def test_the_gateway_has_no_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    program = """
import sys
from serving.gateway import create_app
settings = {"MODELS_DIR": sys.argv[1], "MODEL_SERVER": "127.0.0.1:1", "DATABASE_URL": f"sqlite:///{sys.argv[1]}/x.db"}
client = create_app({f"GATEWAY_{name}": value for name, value in settings.items()}).test_client()
assert client.post("/predict", data=bytes(784), content_type="application/octet-stream").status_code == 503
print([name for name in sys.modules if name.split(".")[0] in ("tensorflow", "keras", "tensorflow_serving", "training")])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("path", ["/predict", "/compare"])
def test_others_are_answered_while_large_images_are_decoded(
    manifest_folder: Path, fake_server: FakeModelServer, path: str
) -> None:
    large = encode(Image.new("RGB", (4990, 4990), "white"))
    with (
        WarmGateway(manifest_folder, fake_server.address, workers=1) as gateway,
        ThreadPoolExecutor() as pool,
        requests.Session() as session,
    ):
        posts = [pool.submit(requests.post, gateway.url + path, data=large, headers=PNG) for _ in range(3)]
        meanwhile = 0
        while not all(post.done() for post in posts):
            meanwhile += session.post(gateway.url + "/predict", data=bytes(784), headers=RAW).ok
    assert [post.result().status_code for post in posts] == [422] * 3  # it is blank
    assert meanwhile > 10


def test_files_are_their_owners_alone(shared: Gateway) -> None:
    assert requests.get(shared.url + "/experiments").ok
    files = [*shared.metrics.glob("*.db"), *shared.metrics.parent.glob("experiments.db*")]
    assert len(files) > 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
