"""Fixtures that start the real thing: a small image set, models trained on it, and a server that answers from them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from xdist.scheduler import LoadScopeScheduling

from serving.gateway.store.engine import sqlite_module
from testing.digits import write_set
from testing.machine import ROOT, free_port
from testing.waiting import until_answered

SHARING = (".", "browser", "model_server")  # folders whose tests share what is dear to make, so one process runs them

# Before TensorFlow, which brings a SQLite too: where it is loaded first, pysqlite3 would find that one for its own.
sqlite_module()


class Together(LoadScopeScheduling):
    """Shares tests out to processes (`make test` has several): a file's stay together, a folder's of SHARING too."""

    def _split_scope(self, nodeid: str) -> str:
        """Return what all tests have in common that stay together."""
        file = Path(nodeid.partition("::")[0]).relative_to("tests")
        folder = file.parts[0] if len(file.parts) > 1 else "."
        return folder if folder in SHARING else str(file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Have xdist use it."""
    return Together(config, log)


@dataclass(frozen=True)
class ModelServer:
    """A running embedded model server."""

    process: subprocess.Popen[bytes]
    grpc_address: str
    rest_url: str


@pytest.fixture(scope="session")
def digits_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small image set of printed digits, as IDX files."""
    folder = tmp_path_factory.mktemp("digits")
    write_set(folder, train=3000, test=500)
    return folder


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory, digits_dir: Path) -> Path:
    """Folder `models/` of all variants, trained for a few steps by the training job itself."""
    models = tmp_path_factory.mktemp("models")
    train_again(digits_dir, models)
    return models


def train_again(data: Path, models: Path, *arguments: str) -> None:
    """Train variants, all unless the command's `arguments` name some, for a few steps and publish them."""
    subprocess.run(
        [sys.executable, "-m", "training", "train", f"--data={data}", f"--models={models}", f"--runs={models}-runs",
         "--epochs=10", "--draws=10", *arguments],
        cwd=ROOT, check=True, timeout=300, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def start_model_server(models: Path, *flags: str) -> ModelServer:
    """Start the embedded model server over `models` and return it when its gRPC port answers."""
    port, rest_port = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.model_server", f"--port={port}", f"--rest_api_port={rest_port}",
         f"--model_config_file={models}/models.config", "--model_config_file_poll_wait_seconds=1", *flags],
        cwd=ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )  # fmt: skip
    server = ModelServer(process, f"127.0.0.1:{port}", f"http://127.0.0.1:{rest_port}")
    # gRPC's own pauses between attempts grow until they miss a server that is slow to come up.
    with grpc.insecure_channel(server.grpc_address, options=[("grpc.max_reconnect_backoff_ms", 1000)]) as channel:
        until_answered(channel, seconds=60)
    return server


@pytest.fixture(scope="session")
def model_server(models_dir: Path) -> Iterator[ModelServer]:
    """The embedded model server over `models_dir`."""
    server = start_model_server(models_dir)
    yield server
    server.process.terminate()
    assert server.process.wait(timeout=30) == 0


@dataclass(frozen=True)
class Serving:
    """A running `python -m serving`: the gateway at `url` over its own copy of the models."""

    process: subprocess.Popen[bytes]
    url: str
    models: Path


def model_server_ports() -> dict[str, str]:
    """Return the settings of a model server at free ports."""
    return {"MODEL_SERVER_PORT": str(free_port()), "MODEL_SERVER_REST_API_PORT": str(free_port())}


def start_serving(models: Path, *arguments: str) -> Serving:
    """Start both services over `models`, with further arguments, and return when every published variant answers."""
    port, ports = free_port(), model_server_ports()
    settings = {"GATEWAY_PORT": str(port), "GATEWAY_DATABASE_URL": f"sqlite:///{models.parent}/experiments.db"}
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", "--models", models, *arguments],
        cwd=ROOT, env={**os.environ, **ports, **settings}, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    for line in process.stdout:
        if b"dropserve is ready" in line:
            return Serving(process, f"http://127.0.0.1:{port}", models)
    raise AssertionError(f"serving ended with exit code {process.wait()}")


@pytest.fixture(scope="session")
def serving(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Both services over a copy of `models_dir`, which a test may publish to."""
    models = tmp_path_factory.mktemp("serving") / "models"
    shutil.copytree(models_dir, models)
    config = models / "models.config"
    config.write_text(config.read_text().replace(str(models_dir), str(models)))
    service = start_serving(models)
    with service.process:
        yield service
        service.process.terminate()
        assert service.process.wait(timeout=60) == 0
