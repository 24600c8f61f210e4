"""Serve on this machine without Docker: start and stop the embedded model server and the gateway together.

    python -m serving [--models DIR] [--train [OPTION …]]

With --train the training job runs beside them. It publishes the variants of the first recipe, which are then served
while it trains the rest. Its own options may follow. Settings are the services' own environment variables.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
GUNICORN_CONFIG = "serving/gateway/server/gunicorn.conf.py"
POLL_SECONDS = 0.2
FORMER_ADDRESS = "127.0.0.1:8500"  # of the model server in version 0.2.0
NICENESS = 10  # of a training job beside serving, whose requests go first
WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # of http_proxy, which cannot reach it
DRAIN_SECONDS = 50  # longer than either service gives the calls it has under way


class Stop:
    """Record that a signal asked to stop: no event, whose lock the interrupted thread may hold."""

    asked = False

    def ask(self, number: int, frame: object) -> None:
        """Handle a signal."""
        self.asked = True


class Ended(Exception):
    """A process that the others need ended by itself."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"the {name} ended by itself, exit code {code}")


def main() -> int:
    """Serve until a signal comes or a service ends; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve models/ without Docker.")
    parser.add_argument(
        "--models", type=Path, metavar="DIR",
        help="folder of published models (default: GATEWAY_MODELS_DIR, else models)",
    )  # fmt: skip
    parser.add_argument(
        "--train", nargs=argparse.REMAINDER, metavar="OPTION",
        help="train the variants that are not published, with these options of the training job",
    )  # fmt: skip
    arguments = parser.parse_args()
    if any(option.split("=")[0] == "--models" for option in arguments.train or ()):
        parser.error("name --models before --train, or set GATEWAY_MODELS_DIR: what is trained is to be served")
    models = (arguments.models or Path(os.environ.get("GATEWAY_MODELS_DIR") or "models")).resolve()
    if arguments.train is None and not (models / "models.config").is_file():
        print(f"serving: there is no models.config in {models}; train first: make train", file=sys.stderr)
        return 2
    if arguments.train is None and (others := other_folders(models)):
        print(
            f"serving: {models / 'models.config'} names models in {others[0]}, as in a copy of that folder; bring it "
            f"up to date: {sys.executable} -m training train --until-published --models={models}",
            file=sys.stderr,
        )
        return 2
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the last comes when a terminal is closed
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, stop.ask)
    with tempfile.TemporaryDirectory(prefix="dropserve-") as folder:
        running = Running(models, settings(models, Path(folder) / "model-server.sock"), stop)
        try:
            return running.serve(arguments.train)
        finally:
            running.end()


def other_folders(models: Path) -> list[str]:
    """Return the folders besides `models` whose models its models.config names: of a copy, the model server's are."""
    named = re.findall(r'base_path: "(.*)"', (models / "models.config").read_text())
    return sorted({str(Path(each).parent) for each in named if Path(each).parent.resolve() != models})


def settings(models: Path, socket_path: Path) -> dict[str, str]:
    """Return the environment of both services; they meet at a Unix socket, which no other user can open.

    A TCP port would be open to every user of this machine, so the model server gets one only on request.
    """
    defaults = {
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": "8080",
        "MODEL_SERVER_PORT": "0",
        "MODEL_SERVER_REST_API_PORT": "0",
        "MODEL_SERVER_GRPC_SOCKET_PATH": str(socket_path),
        "MODEL_SERVER_GRPC_MAX_THREADS": "256",  # more calls at once wait; the workers have fewer under way
        "MODEL_SERVER_MAX_NUM_LOAD_RETRIES": "0",  # a version that cannot be loaded holds up no others
    }
    environment = {
        **defaults,
        **{name: value for name, value in os.environ.items() if value or name not in defaults},
        "GATEWAY_MODELS_DIR": str(models),
        "MODEL_SERVER_MODEL_CONFIG_FILE": str(models / "models.config"),
        "MODEL_SERVER_MODEL_CONFIG_FILE_POLL_WAIT_SECONDS": "1",
    }
    if environment.get("GATEWAY_MODEL_SERVER") == FORMER_ADDRESS and environment["MODEL_SERVER_PORT"] == "0":
        print(
            f"serving: GATEWAY_MODEL_SERVER={FORMER_ADDRESS} is left out, since the model server has no port; "
            "unset it, or set MODEL_SERVER_PORT=8500",
            file=sys.stderr,
        )
        del environment["GATEWAY_MODEL_SERVER"]
    environment.setdefault("GATEWAY_MODEL_SERVER", f"unix:{environment['MODEL_SERVER_GRPC_SOCKET_PATH']}")
    environment.setdefault("GATEWAY_DATABASE_URL", f"sqlite:///{ROOT / 'experiments.db'}")
    return environment


class Running:
    """The processes of one `python -m serving`."""

    def __init__(self, models: Path, environment: Mapping[str, str], stop: Stop) -> None:
        self._models, self._environment, self._stop = models, environment, stop
        self._services: dict[str, subprocess.Popen[bytes]] = {}
        self._training: subprocess.Popen[bytes] | None = None

    def serve(self, train: Sequence[str] | None) -> int:
        """Start the services, and the training job where it has options; return the exit code when all is over."""
        url = f"http://{reachable(self._environment['GATEWAY_HOST'])}:{self._environment['GATEWAY_PORT']}"
        model_server = ROOT / self._environment["MODEL_SERVER_GRPC_SOCKET_PATH"]
        try:
            if train is not None:  # the services start while it trains
                self._train("--until-published", *train)
                self._wait(lambda: (self._models / "models.config").is_file())
            self._start("model server", "-m", "serving.model_server")
            self._wait(lambda: listens(model_server))
            self._start("gateway", "-m", "gunicorn", "-c", GUNICORN_CONFIG)
            self._wait(lambda: self._training is None and answers(f"{url}/readyz"))
            if not self._stop.asked:
                print(f"\ndropserve is ready: {url}   (Ctrl-C stops it)\n", flush=True)
            if train is not None:
                self._train("--background", f"--nice={NICENESS}", *train)
            self._wait(lambda: False)
        except Ended as ended:
            print(f"serving: {ended}", file=sys.stderr)
            return 1
        return 0

    def end(self) -> None:
        """End all processes: the gateway before the model server, which its calls under way need."""
        if self._training:
            self._training.terminate()
        for process in (*reversed(self._services.values()), *([self._training] if self._training else [])):
            end(process)

    def _start(self, name: str, *arguments: str) -> None:
        if not self._stop.asked:
            self._services[name] = self._process(*arguments)

    def _train(self, *options: str) -> None:
        if not self._stop.asked:
            job = ("-m", "training", "train", "--if-missing", f"--models={self._models}")
            self._training = self._process(*job, *options)

    def _process(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own: Ctrl-C reaches this one alone, which stops the others in order."""
        return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=self._environment, start_new_session=True)

    def _wait(self, until: Callable[[], bool]) -> None:
        """Wait until `until` holds or a signal comes; raise Ended when a process ends that is still needed."""
        while not self._stop.asked and not until():
            for name, service in self._services.items():
                if service.poll() is not None:
                    raise Ended(name, service.returncode)
            self._look_at_training()
            time.sleep(POLL_SECONDS)

    def _look_at_training(self) -> None:
        """Name the served variants when the training job has failed; raise Ended where there are none."""
        if self._training is None or self._training.poll() is None:
            return
        code, self._training = self._training.returncode, None
        if code == 0 or self._stop.asked:
            return
        published = published_names(self._models)
        if not published:
            raise Ended("training job", code)
        print(
            f"serving: the training job ended early, exit code {code}; {', '.join(published)} stay served, "
            "and the next start trains the rest",
            file=sys.stderr,
        )


def reachable(host: str) -> str:
    """Return the host at which this machine reaches a gateway that listens on `host`."""
    found = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}.get(host, host)
    return f"[{found}]" if ":" in found and not found.startswith("[") else found


def published_names(models: Path) -> list[str]:
    """Return the names of the variants that the manifest lists, none where there is no manifest."""
    try:
        return [variant["name"] for variant in json.loads((models / "manifest.json").read_bytes())["variants"]]
    except (OSError, ValueError, LookupError):
        return []


def listens(path: Path) -> bool:
    """Say whether anything accepts connections at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(path)) == 0


def answers(url: str) -> bool:
    """Say whether a GET of `url` gets a good answer."""
    try:
        WITHOUT_PROXY.open(url, timeout=5).close()
    except OSError:  # nothing listens yet, or 503 while a model loads
        return False
    return True


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to finish its work and end; kill it if it has not after DRAIN_SECONDS."""
    process.terminate()
    try:
        process.wait(DRAIN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
