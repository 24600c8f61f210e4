"""Other users of the machine at the model server of `python -m serving`."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
import requests

from serving.gateway.access.proxies import unmapped
from testing.attack.files import open_to_others
from testing.attack.seen import Seen
from testing.machine import ROOT, free_port
from testing.manifest import MANIFEST, variant
from testing.waiting import eventually

RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
REFUSED = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED)
CONFIG = 'model_config_list {{ config {{ name: "pixels" base_path: "{}" model_platform: "tensorflow" }} }}'
SERVICE = ("GATEWAY_", "MODEL_SERVER_")  # prefixes of settings


def attack() -> Seen:
    """Look for listeners and for files; ask for a reload over the Unix socket; start the model server alone."""
    seen = Seen()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_models(folder / "models")
        with serving(folder) as process:
            found = listeners(process)
            model_server = {address for command, address in found if "serving.model_server" in command}
            seen.expect(not model_server, f"the model server listens on {', '.join(sorted(model_server))}")
            seen.expect(len(found) > 0, "no listener is found at all, not even the gateway's")
            seen.expect(refuses_reload(folder / "model.sock"), "the Unix socket takes HandleReloadConfigRequest")
            open_to_others(seen, [*folder.glob("*.db*")])
        with alone(folder) as process:
            public = {address for _, address in listeners(process) if not address.startswith("127.0.0.1:")}
            seen.expect(not public, f"the model server alone listens on {', '.join(sorted(public))}")
    return seen


def write_models(folder: Path) -> None:
    """Write small models in a process of its own, and a manifest of one of them."""
    command = [sys.executable, "-m", "testing.saved_models", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, env=_environment(), capture_output=True)
    (folder / "models.config").write_text(CONFIG.format(folder / "pixels"))
    pixels = {**variant("pixels"), "version": 1}
    (folder / "manifest.json").write_text(json.dumps({**MANIFEST, "default": "pixels", "variants": [pixels]}))


@contextmanager
def serving(folder: Path) -> Iterator[psutil.Process]:
    """Run `python -m serving` over the models in `folder` until the block ends."""
    port = free_port()
    own = {
        "GATEWAY_PORT": port, "GATEWAY_DATABASE_URL": f"sqlite:///{folder}/experiments.db",
        "MODEL_SERVER_GRPC_SOCKET_PATH": folder / "model.sock",
    }  # fmt: skip
    with _running(["serving", "--models", str(folder / "models")], own) as process:
        eventually(lambda: _ready(process, f"http://127.0.0.1:{port}/readyz"), "python -m serving to be ready")
        yield psutil.Process(process.pid)


@contextmanager
def alone(folder: Path) -> Iterator[psutil.Process]:
    """Run the model server without an address until the block ends."""
    own = {"MODEL_SERVER_MODEL_CONFIG_FILE": folder / "models/models.config", "MODEL_SERVER_PORT": free_port()}
    with _running(["serving.model_server"], own) as process:
        eventually(lambda: listeners(psutil.Process(process.pid)), "the model server to listen")
        yield psutil.Process(process.pid)


def listeners(process: psutil.Process) -> list[tuple[str, str]]:
    """Return the command and TCP address of every listener of a process and its children."""
    return [
        (" ".join(each.cmdline()), f"{unmapped(connection.laddr.ip)}:{connection.laddr.port}")
        for each in (process, *process.children(recursive=True))
        for connection in each.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]


def refuses_reload(socket: Path) -> bool:
    """Say whether a request to reload, which names no model, is refused as such."""
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        ask: Any = channel.unary_unary(RELOAD)
        try:
            ask(b"", timeout=20)
        except grpc.RpcError as error:
            return error.code() in REFUSED
    return False


@contextmanager
def _running(arguments: list[str], own: dict[str, object]) -> Iterator[subprocess.Popen[bytes]]:
    environment = _environment() | {name: str(value) for name, value in own.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _environment() -> dict[str, str]:
    """Return this process's environment without settings of the services."""
    return {"TF_CPP_MIN_LOG_LEVEL": "3"} | {k: v for k, v in os.environ.items() if not k.startswith(SERVICE)}


def _ready(process: subprocess.Popen[bytes], url: str) -> bool:
    assert process.poll() is None, f"it ended with exit code {process.returncode}"
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False
