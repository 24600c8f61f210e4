"""Far more requests than a worker takes: those that it takes are answered, and the others told at once."""

import re
import socket
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from testing.fake_model_server import FakeModelServer
from testing.running_gateway import WarmGateway
from testing.waiting import PATIENCE

pytestmark = pytest.mark.slow
CONNECTIONS = 12
MOST = 4  # predictions at once
ENOUGH = 20  # answers of each kind
STATUS = re.compile(rb"HTTP/1\.1 (\d+)")
REQUEST = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/octet-stream\r\nContent-Length: 784\r\n\r\n" + bytes(784)
)


def test_predictions_that_are_taken_are_answered_while_others_are_refused(
    manifest_folder: Path, fake_server: FakeModelServer
) -> None:
    statuses: Counter[bytes] = Counter()

    def send(connection: socket.socket) -> None:
        """Send on without waiting for answers, so that there is always something to read."""
        with suppress(OSError):  # it is closed in the end
            while True:
                connection.sendall(20 * REQUEST)

    def take(connection: socket.socket) -> None:
        """Count answers until there are enough of both kinds."""
        received = b""
        while min(statuses[b"200"], statuses[b"429"]) < ENOUGH and (more := connection.recv(2**16)):
            received += more
            found = list(STATUS.finditer(received))
            statuses.update(each[1] for each in found)
            received = received[found[-1].end() :] if found else received
        connection.shutdown(socket.SHUT_RDWR)

    with WarmGateway(manifest_folder, fake_server.address, quiet=True, workers=1, max_in_flight=MOST) as gateway:
        connections = [
            socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) for _ in range(CONNECTIONS)
        ]
        threads = [threading.Thread(target=do, args=(each,)) for each in connections for do in (send, take)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for each in connections:
            each.close()
    assert statuses.keys() == {b"200", b"429"}, statuses
