"""New versions while calls come in: none may fail, and memory must not grow with them."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import predict_pb2

from testing.running_model_server import Running, model_flags, running
from testing.waiting import eventually

pytestmark = pytest.mark.slow

VERSIONS = 20
FLAGS = ("--file_system_poll_wait_seconds=0.05",)


@pytest.fixture
def folder(saved_models: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved_models / "half_plus" / "3", tmp_path / "a" / "1")
    return tmp_path / "a"


class Callers:
    """Threads that call a model over and over, and record failures and versions."""

    def __init__(self, server: Running, threads: int) -> None:
        self.failures: list[str] = []
        self.versions: set[int] = set()
        self.calls = 0
        self._server = server
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(threads)]

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        text = 'model_spec { name: "a" } inputs { key: "x" value { dtype: DT_FLOAT tensor_shape {} float_val: 2 } }'
        request = text_format.Parse(text, predict_pb2.PredictRequest())
        stub = self._server.prediction
        while not self._stopped.is_set():
            try:
                response = stub.Predict(request, timeout=20)
            except grpc.RpcError as error:
                self.failures.append(f"{error.code()} {error.details()}")
            else:
                self.versions.add(response.model_spec.version.value)
                self.calls += 1


def publish(folder: Path, number: int) -> None:
    """Publish the first version once more, as `number`, and forget the one before the last."""
    shutil.copytree(folder / "1", folder / ".next")
    (folder / ".next").rename(folder / str(number))
    if number > 3:
        shutil.rmtree(folder / str(number - 2))


@pytest.fixture(params=["", "--enable_batching"])
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[Running]:
    flags = [request.param] if request.param else []
    with running(*model_flags("a", folder), *FLAGS, *flags) as server:
        yield server


def test_reloads_under_load_fail_no_call_and_keep_no_memory(server: Running, folder: Path) -> None:
    assert server.process
    process = psutil.Process(server.process.pid)
    with Callers(server, threads=4) as callers:
        before = 0
        for number in range(2, VERSIONS + 2):
            publish(folder, number)
            eventually(lambda number=number: number in callers.versions)  # type: ignore[misc]
            if number == VERSIONS // 2:  # by then all that is made only once has been made
                before = process.memory_info().rss
        grown = process.memory_info().rss - before
    assert callers.failures == []
    assert callers.calls > VERSIONS
    assert grown < 30 << 20
