"""Serve on this machine without Docker: the embedded model server and the gateway, started and stopped together.

    python -m serving [--models DIR]

Settings are the two services' own environment variables.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
GUNICORN_CONFIG = "serving/gateway/server/gunicorn.conf.py"
POLL_SECONDS = 0.2
DRAIN_SECONDS = 40  # longer than either service gives the calls it has under way


class Stop:
    """Whether a signal has asked to stop: no event, whose lock the interrupted thread may hold."""

    asked = False

    def ask(self, number: int, frame: object) -> None:
        """Be a signal's handler."""
        self.asked = True


def main() -> int:
    """Start both services, wait until a signal comes or one of them ends, stop both; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve models/ without Docker.")
    parser.add_argument("--models", type=Path, metavar="DIR", help="folder of published models (default: models)")
    models = (parser.parse_args().models or Path(os.environ.get("GATEWAY_MODELS_DIR", "models"))).resolve()
    if not (models / "models.config").is_file():
        print(f"serving: there is no models.config in {models}; train first: make train", file=sys.stderr)
        return 2
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop.ask)
    with tempfile.TemporaryDirectory(prefix="dropserve-") as folder:
        return serve(settings(models, Path(folder) / "model-server.sock"), stop)


def settings(models: Path, socket_path: Path) -> dict[str, str]:
    """Return the environment of both services; they meet at a Unix socket, where a call takes less time than by TCP."""
    environment = {
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": "8080",
        "MODEL_SERVER_HOST": "127.0.0.1",
        "MODEL_SERVER_PORT": "8500",
        "MODEL_SERVER_REST_API_PORT": "8501",
        "MODEL_SERVER_GRPC_SOCKET_PATH": str(socket_path),
        "MODEL_SERVER_GRPC_MAX_THREADS": "256",  # it refuses more calls at once; the workers' in flight stay below
        **os.environ,
        "GATEWAY_MODELS_DIR": str(models),
        "MODEL_SERVER_MODEL_CONFIG_FILE": str(models / "models.config"),
        "MODEL_SERVER_MODEL_CONFIG_FILE_POLL_WAIT_SECONDS": "1",
    }
    environment.setdefault("GATEWAY_MODEL_SERVER", f"unix:{environment['MODEL_SERVER_GRPC_SOCKET_PATH']}")
    environment.setdefault("GATEWAY_DATABASE_URL", f"sqlite:///{ROOT / 'experiments.db'}")
    return environment


def serve(environment: Mapping[str, str], stop: Stop) -> int:
    """Run both services until `stop` is asked for or one of them ends; return the exit code."""
    services = {"model server": start(environment, "-m", "serving.model_server")}
    try:
        ended = watch(services, stop, lambda: listens(int(environment["MODEL_SERVER_PORT"])))
        if not ended and not stop.asked:
            services["gateway"] = start(environment, "-m", "gunicorn", "-c", GUNICORN_CONFIG)
            url = f"http://{environment['GATEWAY_HOST']}:{environment['GATEWAY_PORT']}"
            ended = watch(services, stop, lambda: answers(f"{url}/readyz"))
        if not ended and not stop.asked:
            print(f"\ndropserve is ready: {url}   (Ctrl-C stops it)\n", flush=True)
            ended = watch(services, stop, lambda: False)
    finally:
        for service in reversed(services.values()):  # the gateway first: its calls under way need the model server
            end(service)
    if ended:
        print(f"serving: the {ended} ended by itself, exit code {services[ended].returncode}", file=sys.stderr)
    return 1 if ended else 0


def start(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    """Start a service in a session of its own: Ctrl-C reaches this process alone, which then stops them in order."""
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, start_new_session=True)


def watch(services: Mapping[str, subprocess.Popen[bytes]], stop: Stop, until: Callable[[], bool]) -> str | None:
    """Wait until `until` holds or `stop` is asked for; return the name of a service that ended before, if one did."""
    while not stop.asked and not until():
        for name, service in services.items():
            if service.poll() is not None:
                return name
        time.sleep(POLL_SECONDS)
    return None


def listens(port: int) -> bool:
    """Say whether anything accepts connections at a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def answers(url: str) -> bool:
    """Say whether a GET of `url` gets a good answer."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:  # nothing listens yet, or 503 while a model loads
        return False
    return True


def end(service: subprocess.Popen[bytes]) -> None:
    """Ask a service to finish its calls and end; kill it if it has not after DRAIN_SECONDS."""
    service.terminate()
    try:
        service.wait(DRAIN_SECONDS)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()


if __name__ == "__main__":
    sys.exit(main())
