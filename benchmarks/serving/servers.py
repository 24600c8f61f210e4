"""The servers that are compared: start each, and keep all but one from the processors."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import requests

from testing.machine import ROOT, free_port

PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
START_SECONDS = 300
UVICORN = ("-m", "uvicorn", "--workers=2", "--log-level=warning", "--timeout-worker-healthcheck=3600")
GUNICORN = ("-m", "gunicorn", "--workers=2", "--bind=127.0.0.1:{port}")
MODEL_SERVER = "serving.model_server"
GATEWAY, PROTECTED, KEEPING, AGAINST, CEILING = "gateway", "protected", "keeping", "against", "noop"
KEY, HOST = "a-key-for-benchmarks", "digits.example.org"
MOST_RATE = "1000000"  # a minute, and at once: every request is counted, none refused
KEPT = "20000"  # images with labels, and as many that wait for one


@dataclass(frozen=True)
class Server:
    """A row of the table: its title, the arguments of Python that start it, and its path for PNG files.

    Requests have `headers` besides their content type.
    """

    title: str
    arguments: tuple[str, ...]
    png_path: str = "/predict/png"
    python: Path = PEERS_PYTHON
    folder: Path = ROOT
    model_server: bool = False  # whether it asks an embedded model server, which is started beside it
    settings: Mapping[str, str] = field(default_factory=dict)  # of the gateway
    headers: Mapping[str, str] = field(default_factory=dict)


def gateway(title: str, folder: Path, python: Path) -> Server:
    """Return the gateway of a checkout in `folder`, which brings its model server along."""
    return Server(title, ("-m", "serving"), "/predict", python, folder)


def protected(open: Server) -> Server:
    """Return a gateway that asks for a key, knows its host, and holds clients to a rate."""
    settings = {
        "GATEWAY_API_KEYS": hashlib.sha256(KEY.encode()).hexdigest(), "GATEWAY_HOSTS": HOST,
        "GATEWAY_RATE_LIMIT": MOST_RATE, "GATEWAY_RATE_BURST": MOST_RATE,
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {KEY}", "Host": HOST}
    return replace(open, title=f"{open.title}; key, host, rate", settings=settings, headers=headers)


def keeping(other: Server) -> Server:
    """Return a gateway that keeps images, to learn from them once they have labels."""
    return replace(other, title=f"{other.title}; keeps images", settings={"GATEWAY_KEEP_LABELLED": KEPT})


THIS = gateway("this gateway", ROOT, Path(sys.executable))
SERVERS: Mapping[str, Server] = {
    GATEWAY: THIS,
    PROTECTED: protected(THIS),
    KEEPING: keeping(THIS),
    "fastapi_grpc": Server(
        "FastAPI, grpc.aio, a call each",
        (*UVICORN, "--no-access-log", "--port={port}", "benchmarks.serving.peers.fastapi_grpc:app"),
        model_server=True,
    ),
    "flask_grpc": Server(
        "Flask, gthread 2 × 16, grpcio",
        (*GUNICORN, "--worker-class=gthread", "--threads=16", "benchmarks.serving.peers.flask_grpc:app"),
        model_server=True,
    ),
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
    CEILING: Server(
        "ASGI that does nothing",
        (*GUNICORN, "--worker-class=uvicorn_worker.UvicornWorker", "benchmarks.serving.peers.noop:app"),
        "/predict",
    ),
}


class Running:
    """A started server and all its processes."""

    def __init__(self, name: str, server: Server, models: Path) -> None:
        """Start `server` over the folder `models`, in which there is one variant."""
        self.name, self.models, self.port = name, models, free_port()
        self.url, self.png_path = f"http://127.0.0.1:{self.port}", server.png_path
        self.settings, self.headers = server.settings, server.headers
        self.log = models.parent / f"{name}.log"
        environment = self._environment(models)
        commands = [(str(server.python), *(argument.format(port=self.port) for argument in server.arguments))]
        if server.model_server:
            commands.insert(0, (sys.executable, "-m", MODEL_SERVER))
        with self.log.open("wb") as log:
            self._started = [
                subprocess.Popen(command, cwd=server.folder, env=environment, stdout=log, stderr=log)
                for command in commands
            ]

    def _environment(self, models: Path) -> dict[str, str]:
        """Return the settings of a gateway, of a model server and of a peer, each of which reads its own."""
        model_server = models.parent / f"{self.name}.sock"
        return {
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PEER_MODEL": str(model_folder(models)),
            "PEER_MODEL_SERVER": f"unix:{model_server}",
            "GUNICORN_CMD_ARGS": "--timeout=3600",  # so that no worker is taken for dead after it was stopped
            "GATEWAY_MODELS_DIR": str(models),
            "GATEWAY_DATABASE_URL": f"sqlite:///{models.parent}/{self.name}.db",
            "GATEWAY_PORT": str(self.port),
            "MODEL_SERVER_HOST": "127.0.0.1",
            "MODEL_SERVER_PORT": str(free_port()),
            "MODEL_SERVER_REST_API_PORT": str(free_port()),
            "MODEL_SERVER_GRPC_SOCKET_PATH": str(model_server),
            "MODEL_SERVER_GRPC_MAX_THREADS": "256",
            "MODEL_SERVER_MODEL_CONFIG_FILE": str(models / "models.config"),
            **self.settings,
        }

    def wait(self, body: bytes) -> None:
        """Wait until the server answers `body`; end the benchmark where it cannot start."""
        headers = {"Content-Type": "application/json", **self.headers}
        self.wait_for(lambda: requests.post(f"{self.url}/predict", data=body, headers=headers, timeout=30))

    def wait_for(self, ask: Callable[[], requests.Response], pause: float = 0.1) -> None:
        """Wait until `ask` gets a good answer; end the benchmark where the server cannot start."""
        deadline = time.monotonic() + START_SECONDS
        while not _answers(ask):
            if any(each.poll() is not None for each in self._started) or time.monotonic() > deadline:
                sys.exit(f"{self.name} does not answer; the end of its log:\n{self.log.read_text()[-2000:]}")
            time.sleep(pause)

    def processes(self) -> list[psutil.Process]:
        """Return every process of the server, children last."""
        first = [psutil.Process(each.pid) for each in self._started]
        return [*first, *(child for each in first for child in each.children(recursive=True))]

    def workers(self) -> list[psutil.Process]:
        """Return gunicorn's workers: the processes whose parent runs gunicorn too."""
        return [each for each in self.processes() if is_gunicorn(each) and is_gunicorn(each.parent())]

    def largest_worker(self) -> float:
        """Return the resident memory of the largest worker, in megabytes."""
        return max(each.memory_info().rss for each in self.workers()) / 1e6

    def processor_seconds(self) -> tuple[float, float]:
        """Return the processor time spent so far by the HTTP server's processes, and by the model server's."""
        spent = [0.0, 0.0]
        for each in self.processes():
            times = each.cpu_times()
            spent[MODEL_SERVER in each.cmdline()] += times.user + times.system
        return spent[0], spent[1]

    def pause(self) -> None:
        """Stop all its processes, parents first: none finds a child silent."""
        for process in self.processes():
            process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let all its processes go on, children first."""
        for process in reversed(self.processes()):
            process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the server, and any process of it that is left after that."""
        running = [each for each in self._started if each.poll() is None]
        processes = [child for each in running for child in psutil.Process(each.pid).children(recursive=True)]
        for process in reversed(processes):
            process.resume()
        for each in reversed(running):  # the model server last: calls under way need it
            each.send_signal(signal.SIGCONT)
            each.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                each.wait(30)
            each.kill()
            each.wait()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@contextlib.contextmanager
def started(servers: Mapping[str, Server], models: Path, body: bytes) -> Iterator[dict[str, Running]]:
    """Start the servers one after the other and pause each once it answers `body`; stop all at the end."""
    running: dict[str, Running] = {}
    try:
        for name, server in servers.items():
            running[name] = Running(name, server, own_copy(models, models.parent / name))
            running[name].wait(body)
            running[name].pause()
            print(f"{name} answers", file=sys.stderr)
        yield running
    finally:
        for each in running.values():
            each.stop()


def write_models(published: Path, variant: str, folder: Path) -> None:
    """Write the published files of one variant to `folder`, as the default and only one."""
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


def own_copy(models: Path, folder: Path) -> Path:
    """Copy `models`, which holds one variant, into `folder`; return where the copy is."""
    copy = folder / "models"
    write_models(models, json.loads((models / "manifest.json").read_text())["default"], copy)
    return copy


def model_folder(models: Path) -> Path:
    """Return the folder of the newest version of the one variant in `models`."""
    manifest = json.loads((models / "manifest.json").read_text())
    return models / manifest["default"] / str(manifest["variants"][0]["version"])


def is_gunicorn(process: psutil.Process | None) -> bool:
    """Say whether a process runs gunicorn."""
    return process is not None and any("gunicorn" in word for word in process.cmdline())


def _answers(ask: Callable[[], requests.Response]) -> bool:
    try:
        return ask().ok
    except (requests.ConnectionError, requests.Timeout):
        return False
