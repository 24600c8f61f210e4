import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.machine import ROOT, free_port
from testing.manifest import MANIFEST
from testing.running_gateway import Gateway, WarmGateway
from tests.gateway.faults.load import Load

WORKERS = 2


class StandIn:
    """A model server in a process of its own, always at the same address."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [sys.executable, "-m", "tests.gateway.faults.stand_in", self.address]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self._process.stdout
        if self._process.stdout.readline() != b"ready\n":
            self.kill()
            raise AssertionError(f"the stand-in ended with exit code {self._process.returncode}")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it at once."""
        with self._process:
            self._process.kill()


@pytest.fixture(scope="module")
def manifest_folder(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    """A folder with a manifest and a database, for all tests of a file; each leaves it as it was."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    shutil.copy(sqlite_template, folder / "experiments.db")
    return folder


@pytest.fixture(scope="module")
def model_server() -> Iterator[StandIn]:
    server = StandIn()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def deadline() -> float:
    """The seconds that the gateway waits for the model server: more than a healthy one takes on a busy machine."""
    return 20.0


@pytest.fixture(scope="module")
def gateway(manifest_folder: Path, model_server: StandIn, deadline: float) -> Iterator[Gateway]:
    """A gateway for all tests of a file, which ends well at last."""
    with WarmGateway(
        manifest_folder, model_server.address, quiet=True, workers=WORKERS, deadline_ms=int(1000 * deadline)
    ) as running:
        yield running
        assert running.stop() == 0


@pytest.fixture
def load(gateway: Gateway) -> Iterator[Load]:
    with Load(gateway.url) as running:
        running.forget()
        yield running
