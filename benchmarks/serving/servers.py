"""The servers that are compared: how each is started, and how all but one are kept from the processors."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

from testing.machine import free_port

ROOT = Path(__file__).parents[2]
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
START_SECONDS = 120
UVICORN = ("-m", "uvicorn", "--workers=2", "--log-level=warning", "--timeout-worker-healthcheck=3600")
GATEWAY, CEILING = "gateway", "noop"


@dataclass(frozen=True)
class Server:
    """A row of the table: its title, the arguments of Python that start it, and where it takes PNG files."""

    title: str
    arguments: tuple[str, ...]
    png_path: str = "/predict/png"
    python: Path = PEERS_PYTHON
    environment: Mapping[str, str] = field(default_factory=dict)


SERVERS: Mapping[str, Server] = {
    GATEWAY: Server("this gateway", ("-m", "serving"), "/predict", Path(sys.executable)),
    "fastapi_tuned": Server(
        "FastAPI, async, session callable",
        (*UVICORN, "--no-access-log", "--port={port}", "benchmarks.serving.peers.fastapi_tuned:app"),
    ),
    "fastapi_async": Server(
        "FastAPI, async, eager signature",
        (*UVICORN, "--no-access-log", "--port={port}", "benchmarks.serving.peers.fastapi_async:app"),
    ),
    "fastapi_tutorial": Server(
        "FastAPI, def, pydantic", (*UVICORN, "--port={port}", "benchmarks.serving.peers.fastapi_tutorial:app")
    ),
    "flask_threads": Server(
        "Flask, gunicorn 2 × 8 threads",
        ("-m", "gunicorn", "--workers=2", "--threads=8", "--bind=127.0.0.1:{port}",
         "benchmarks.serving.peers.flask_threads:app"),
    ),
    "litserve": Server(
        "LitServe, batches of 32 or 2 ms", ("-m", "benchmarks.serving.peers.litserve_batching", "{port}")
    ),
    CEILING: Server(
        "Flask that does nothing", ("-m", "gunicorn", "-c", "benchmarks/serving/peers/noop.conf.py"), "/predict",
        Path(sys.executable),
    ),
}  # fmt: skip
PEERS = tuple(name for name in SERVERS if name not in (GATEWAY, CEILING))


class Running:
    """A started server and all its processes."""

    def __init__(self, name: str, models: Path) -> None:
        """Start the server called `name` over the folder `models`, in which there is one variant."""
        server, port = SERVERS[name], free_port()
        self.name, self.models, self.port = name, models, port
        self.url, self.png_path = f"http://127.0.0.1:{port}", server.png_path
        environment = {
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PEER_MODEL": str(model_folder(models)),
            "GUNICORN_CMD_ARGS": "--timeout=3600",  # so that no worker is taken for dead after it was stopped
            "GATEWAY_MODELS_DIR": str(models),
            "GATEWAY_DATABASE_URL": f"sqlite:///{models.parent}/{name}.db",
            "GATEWAY_PORT": str(port),
            "MODEL_SERVER_PORT": str(free_port()),
            "MODEL_SERVER_REST_API_PORT": str(free_port()),
        }
        command = [str(server.python), *(argument.format(port=port) for argument in server.arguments)]
        self.log = models.parent / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def wait(self, body: bytes) -> None:
        """Wait until the server answers `body`; end the benchmark where it cannot start."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers(body):
            if self._process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{self.name} does not answer; the end of its log:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def processes(self) -> list[psutil.Process]:
        """Return every process of the server, children last."""
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]

    def workers(self) -> list[psutil.Process]:
        """Return gunicorn's workers: the processes whose parent runs gunicorn too."""
        return [each for each in self.processes() if _is_gunicorn(each) and _is_gunicorn(each.parent())]

    def pause(self) -> None:
        """Stop all its processes, parents first: none finds a child silent."""
        for process in self.processes():
            process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let all its processes go on, children first."""
        for process in reversed(self.processes()):
            process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the server, and whatever of it is left after that."""
        if self._process.poll() is not None:
            return
        processes = self.processes()
        self.resume()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _answers(self, body: bytes) -> bool:
        try:
            return requests.post(
                f"{self.url}/predict", data=body, headers={"Content-Type": "application/json"}, timeout=30
            ).ok
        except requests.ConnectionError:
            return False


@contextlib.contextmanager
def started(names: list[str], models: Path, body: bytes) -> Iterator[dict[str, Running]]:
    """Start the named servers one after the other and pause each once it answers `body`; stop all at the end."""
    running: dict[str, Running] = {}
    try:
        for name in names:
            running[name] = Running(name, models)
            running[name].wait(body)
            running[name].pause()
        yield running
    finally:
        for server in running.values():
            server.stop()


def write_models(published: Path, variant: str, folder: Path) -> None:
    """Write to `folder` what is published of one variant, as the default and only one."""
    manifest = json.loads((published / "manifest.json").read_text())
    variants = [each for each in manifest["variants"] if each["name"] == variant]
    if not variants:
        sys.exit(f"There is no variant {variant!r} in {published}; train it first: make train")
    folder.mkdir(parents=True)
    shutil.copytree(published / variant, folder / variant)
    (folder / "manifest.json").write_text(json.dumps({**manifest, "default": variant, "variants": variants}))
    (folder / "models.config").write_text(
        f'model_config_list {{ config {{ name: "{variant}" base_path: "{folder / variant}" '
        'model_platform: "tensorflow" } }\n'
    )


def model_folder(models: Path) -> Path:
    """Return the folder of the newest version of the one variant in `models`."""
    manifest = json.loads((models / "manifest.json").read_text())
    return models / manifest["default"] / str(manifest["variants"][0]["version"])


def _is_gunicorn(process: psutil.Process | None) -> bool:
    return process is not None and any("gunicorn" in word for word in process.cmdline())
