import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, free_port
from tests.gateway.faults.load import Load
from tests.gateway.gunicorn import Gateway

DEADLINE = 1.0  # seconds, of the gateway


class StandIn:
    """A model server in a process of its own, always at the same address."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [sys.executable, "-m", "tests.gateway.faults.stand_in", self.address]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self._process.stdout and self._process.stdout.readline() == b"ready\n"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it at once."""
        with self._process:
            self._process.kill()


@pytest.fixture
def model_server() -> Iterator[StandIn]:
    server = StandIn()
    yield server
    server.kill()


@pytest.fixture
def gateway(manifest_folder: Path, model_server: StandIn, sqlite_template: Path) -> Iterator[Gateway]:
    shutil.copy(sqlite_template, manifest_folder / "experiments.db")
    deadline = int(1000 * DEADLINE)
    running = Gateway(manifest_folder, model_server.address, quiet=True, workers=2, deadline_ms=deadline)
    yield running
    assert running.stop() == 0


@pytest.fixture
def load(gateway: Gateway) -> Iterator[Load]:
    with Load(gateway.url) as running:
        running.forget()
        yield running
