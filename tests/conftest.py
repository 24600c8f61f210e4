"""Fixtures that start the real thing: a small image set, models trained on it, and servers that answer from them."""

import fcntl
import gc
import importlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from xdist.scheduler import LoadScopeScheduling

from testing import warm
from testing.api import ADMIN_TOKEN
from testing.digits import write_set
from testing.machine import ROOT, free_port
from testing.waiting import PATIENCE, until_answered
from testing.warm import WarmProcess

SHARING = (".", "browser", "model_server")  # folders whose tests share costly servers, so one process runs them

# TensorFlow brings a SQLite too. Loaded first, pysqlite3 would take that one for its own.
with suppress(ImportError):
    importlib.import_module("pysqlite3.dbapi2")


class Together(LoadScopeScheduling):
    """Shares tests out to processes: a file's tests stay together, and those of a folder in SHARING."""

    def _split_scope(self, nodeid: str) -> str:
        """Name the scope of a test; tests of one scope run in one process."""
        return scope(nodeid)


def scope(nodeid: str) -> str:
    """Return the folder in SHARING that a test is in, else its file."""
    file = Path(nodeid.partition("::")[0]).relative_to("tests")
    folder = file.parts[0] if len(file.parts) > 1 else "."
    return folder if folder in SHARING else str(file)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders in SHARING, which take longest, and end with files deep in the gateway, which are short.

    So no process is left with a long one at the end.
    """
    items.sort(key=lambda item: turn(scope(item.nodeid)))


def turn(where: str) -> tuple[bool, bool, int]:
    """Return the place of a scope among the others, the smallest first."""
    return where not in SHARING, where.startswith("gateway/"), where.count("/")


def pytest_collection_finish() -> None:
    """Have collections of garbage pass over all that was imported; they would look through TensorFlow each time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Have xdist schedule by Together."""
    return Together(config, log)


def built_once(tmp_path_factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """Return a folder that `build` fills once a run, in whichever of xdist's processes asks first.

    All of them read it, so no test may write there.
    """
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, finished = root / name, root / f"{name}.finished"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            finished.touch()
    return folder


@pytest.fixture(scope="session")
def digits_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small image set of printed digits, as IDX files."""
    return built_once(tmp_path_factory, "digits", lambda folder: write_set(folder, train=3000, test=500))


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory, digits_dir: Path) -> Path:
    """Folder `models/` of all variants, trained for a few steps by the training job itself."""
    return built_once(tmp_path_factory, "models", lambda folder: train_again(digits_dir, folder))


def train_again(data: Path, models: Path, *arguments: str) -> None:
    """Train variants, all unless the command's `arguments` name some, for a few steps and publish them."""
    done = warm.run(
        "training", "train", f"--data={data}", f"--models={models}", f"--runs={models}-runs", "--epochs=10",
        "--draws=10", *arguments,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@contextmanager
def ended_on_failure(process: subprocess.Popen[bytes] | WarmProcess) -> Iterator[None]:
    """Kill a process, and all that it started, if the block fails."""
    try:
        yield
    except BaseException:
        with process, suppress(psutil.NoSuchProcess):
            for each in (*psutil.Process(process.pid).children(recursive=True), process):
                each.kill()
        raise


@dataclass(frozen=True)
class ModelServer:
    """A running embedded model server."""

    process: WarmProcess
    grpc_address: str
    rest_url: str

    def stop(self) -> int:
        """End it by SIGTERM and return its exit code."""
        return end(self.process)


def end(process: subprocess.Popen[bytes] | WarmProcess) -> int:
    """End a process by SIGTERM and return its exit code; kill it where that takes too long."""
    with ended_on_failure(process):
        process.terminate()
        return process.wait(timeout=PATIENCE)


def start_model_server(models: Path, *flags: str) -> ModelServer:
    """Start the embedded model server over `models` and return it when its gRPC port answers."""
    port, rest_port = free_port(), free_port()
    process = WarmProcess(
        "serving.model_server", f"--port={port}", f"--rest_api_port={rest_port}",
        f"--model_config_file={models}/models.config", "--model_config_file_poll_wait_seconds=1", *flags,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )  # fmt: skip
    server = ModelServer(process, f"127.0.0.1:{port}", f"http://127.0.0.1:{rest_port}")
    # gRPC's own pauses between attempts grow until they miss a server that is slow to come up.
    options = [("grpc.max_reconnect_backoff_ms", 1000)]
    with ended_on_failure(process), grpc.insecure_channel(server.grpc_address, options) as channel:
        until_answered(channel)
    return server


@pytest.fixture(scope="session")
def model_server(models_dir: Path) -> Iterator[ModelServer]:
    """The embedded model server over `models_dir`."""
    server = start_model_server(models_dir)
    yield server
    assert server.stop() == 0


@dataclass(frozen=True)
class Serving:
    """A running `python -m serving`: the gateway at `url` over its own copy of the models."""

    process: subprocess.Popen[bytes]
    url: str
    models: Path


def start_serving(models: Path, *arguments: str, **settings: str) -> Serving:
    """Start both services over `models`, and return when every published variant answers.

    Further arguments and environment variables may be given.
    """
    port = free_port()
    ours = {"GATEWAY_PORT": str(port), "GATEWAY_DATABASE_URL": f"sqlite:///{models.parent}/experiments.db"}
    with heeded(signal.SIGINT, signal.SIGHUP):
        process = subprocess.Popen(
            [sys.executable, "-m", "serving", "--models", models, *arguments],
            cwd=ROOT, env={**os.environ, **ours, **settings}, stdout=subprocess.PIPE,
        )  # fmt: skip
    assert process.stdout
    with ended_on_failure(process):
        for line in process.stdout:
            if b"dropserve is ready" in line:
                return Serving(process, f"http://127.0.0.1:{port}", models)
        raise AssertionError(f"serving ended with exit code {process.wait()}")


@contextmanager
def heeded(*signals: signal.Signals) -> Iterator[None]:
    """Let processes that start meanwhile get these signals, which nohup and jobs in the background ignore."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def serving(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Both services over a copy of `models_dir`, to which a test may publish."""
    models = tmp_path_factory.mktemp("serving") / "models"
    shutil.copytree(models_dir, models)
    config = models / "models.config"
    config.write_text(config.read_text().replace(str(models_dir), str(models)))
    service = start_serving(models, GATEWAY_ADMIN_TOKEN=ADMIN_TOKEN, GATEWAY_KEEP_LABELLED="1000")
    with service.process:
        yield service
        assert end(service.process) == 0
