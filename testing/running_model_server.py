"""A model server in a process of its own, and the official clients that speak to it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from testing.machine import free_port
from testing.waiting import until_answered
from testing.warm import WarmProcess

START_SECONDS = 240  # TensorFlow alone takes half a minute to load where ten processes share a core
STOP_SECONDS = 60
LOOK_SECONDS = 2  # between two looks at whether a starting process still lives
TRIES = 3
OPTIONS = [
    ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
    ("grpc.max_reconnect_backoff_ms", 500),  # otherwise the pauses between attempts grow while a server starts
]  # fmt: skip


class StartFailed(Exception):
    """The server ended before it answered, or did not answer in time."""


@dataclass(frozen=True)
class Running:
    """A running server: its addresses, a channel to it, and its process if we started it."""

    grpc_address: str
    rest_url: str
    channel: grpc.Channel
    process: WarmProcess | None = None

    @property
    def prediction(self) -> Any:
        """The official stub of PredictionService."""
        return prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    @property
    def model(self) -> Any:
        """The official stub of ModelService."""
        return model_service_pb2_grpc.ModelServiceStub(self.channel)


def launch(*flags: str, stderr: int | None = None) -> tuple[WarmProcess, int, int]:
    """Start the embedded server without waiting for it; return its process, its gRPC port and its REST port."""
    port, rest_port = free_port(), free_port()
    process = WarmProcess(
        "serving.model_server", "--host=127.0.0.1", f"--port={port}", f"--rest_api_port={rest_port}", *flags,
        stderr=stderr, text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("MODEL_SERVER_")},
    )  # fmt: skip
    return process, port, rest_port


@contextlib.contextmanager
def running(*flags: str) -> Iterator[Running]:
    """Start the embedded server, wait until it answers, and end it by SIGTERM, which must be a clean end."""
    with contextlib.ExitStack() as stack:
        for tries_left in reversed(range(TRIES)):
            try:
                server = stack.enter_context(_started(*flags))
                break
            except StartFailed:  # another process may have taken one of the ports
                if not tries_left:
                    raise
        yield server
        assert server.process
        server.process.terminate()
        code = server.process.wait(STOP_SECONDS)
        assert code == 0, f"the model server ended with {signal.Signals(-code).name if code < 0 else code}"


@contextlib.contextmanager
def _started(*flags: str) -> Iterator[Running]:
    process, port, rest_port = launch(*flags)
    try:
        with connected(f"127.0.0.1:{port}", process) as channel:
            yield Running(f"127.0.0.1:{port}", f"http://127.0.0.1:{rest_port}", channel, process)
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def connected(address: str, process: subprocess.Popen[str] | WarmProcess | None = None) -> Iterator[grpc.Channel]:
    """Return a channel to `address` once a server answers there; raise `StartFailed` when `process` ends before."""
    until = time.monotonic() + START_SECONDS
    with grpc.insecure_channel(address, OPTIONS) as channel:
        while not _answers(channel):
            if process and process.poll() is not None:
                raise StartFailed(f"The model server ended with exit code {process.returncode}")
            if time.monotonic() > until:
                raise StartFailed(f"No model server answers at {address} after {START_SECONDS} s")
        yield channel


def _answers(channel: grpc.Channel) -> bool:
    try:
        until_answered(channel, seconds=LOOK_SECONDS)
    except grpc.RpcError:
        return False
    return True


def model_flags(name: str, folder: Path) -> list[str]:
    """Return the flags that serve one model, and that make failures and news show at once."""
    return [f"--model_name={name}", f"--model_base_path={folder}", "--max_num_load_retries=0"]
