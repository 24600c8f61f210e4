"""A model server in a process of its own, and the official clients that speak to it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from testing.machine import ROOT, free_port
from testing.waiting import until_answered

START_SECONDS = 60


@dataclass(frozen=True)
class Running:
    """Where a server answers, and its process if it is ours."""

    grpc_address: str
    rest_url: str
    channel: grpc.Channel
    process: subprocess.Popen[str] | None = None

    @property
    def prediction(self) -> Any:
        """The official stub of PredictionService."""
        return prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    @property
    def model(self) -> Any:
        """The official stub of ModelService."""
        return model_service_pb2_grpc.ModelServiceStub(self.channel)


def launch(*flags: str, stderr: Any = None) -> tuple[subprocess.Popen[str], int, int]:
    """Start the embedded server without waiting for it; return its process and its two ports."""
    port, rest_port = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.model_server", "--host=127.0.0.1", f"--port={port}",
         f"--rest_api_port={rest_port}", *flags],
        cwd=ROOT, stderr=stderr, text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("MODEL_SERVER_")},
    )  # fmt: skip
    return process, port, rest_port


@contextlib.contextmanager
def running(*flags: str) -> Iterator[Running]:
    """Start the embedded server, wait until it answers, and end it by SIGTERM, which must be a clean end."""
    process, port, rest_port = launch(*flags)
    try:
        with connected(f"127.0.0.1:{port}") as channel:
            yield Running(f"127.0.0.1:{port}", f"http://127.0.0.1:{rest_port}", channel, process)
        process.terminate()
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def connected(address: str) -> Iterator[grpc.Channel]:
    """Return a channel to `address` once something answers there."""
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(address, options) as channel:
        until_answered(channel, seconds=START_SECONDS)
        yield channel


def model_flags(name: str, folder: Path) -> list[str]:
    """Return the flags that serve one model, and that make failures and news show at once."""
    return [f"--model_name={name}", f"--model_base_path={folder}", "--max_num_load_retries=0"]
