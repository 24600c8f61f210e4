"""Far more requests than a worker takes: those that it takes are answered, and the others told at once."""

import re
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from testing.fake_model_server import FakeModelServer
from testing.running_gateway import Gateway

pytestmark = pytest.mark.slow
CONNECTIONS = 12
MOST = 4  # predictions at once
DEADLINE = 2  # seconds
REQUEST = (
    b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 784\r\n\r\n"
    + bytes(784)
)


def test_predictions_that_are_taken_are_answered_while_others_are_refused(
    manifest_folder: Path, fake_server: FakeModelServer
) -> None:
    settings = {"workers": 1, "max_in_flight": MOST, "deadline_ms": 1000 * DEADLINE}
    statuses: Counter[bytes] = Counter()

    def send(connection: socket.socket) -> None:
        """Send on without waiting for answers, so that there is always something to read."""
        with suppress(OSError):  # it is closed in the end
            while True:
                connection.sendall(20 * REQUEST)

    def take(connection: socket.socket) -> None:
        received = bytearray()
        while time.monotonic() < until:
            received += connection.recv(2**16)
        connection.shutdown(socket.SHUT_RDWR)
        statuses.update(re.findall(rb"HTTP/1\.1 (\d+)", received))

    with Gateway(manifest_folder, fake_server.address, quiet=True, **settings) as gateway:
        until = time.monotonic() + 2 * DEADLINE
        connections = [socket.create_connection(("127.0.0.1", gateway.port), timeout=60) for _ in range(CONNECTIONS)]
        threads = [threading.Thread(target=do, args=(each,)) for each in connections for do in (send, take)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for each in connections:
            each.close()
    assert statuses.keys() == {b"200", b"429"}, statuses
