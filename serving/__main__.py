"""Serve on this machine without Docker: the embedded model server and the gateway, started and stopped together.

    python -m serving [--models DIR]

Settings are the two services' own environment variables.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
POLL_SECONDS = 0.2
DRAIN_SECONDS = 40  # longer than either service gives the calls it has under way


def main() -> int:
    """Start both services, wait until a signal comes or one of them ends, stop both; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve models/ without Docker.")
    parser.add_argument("--models", type=Path, metavar="DIR", help="folder of published models (default: models)")
    models = (parser.parse_args().models or Path(os.environ.get("GATEWAY_MODELS_DIR", "models"))).resolve()
    if not (models / "models.config").is_file():
        print(f"serving: there is no models.config in {models}; train first: make train", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    environment = {
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": "8080",
        "MODEL_SERVER_HOST": "127.0.0.1",
        "MODEL_SERVER_PORT": "8500",
        "MODEL_SERVER_REST_API_PORT": "8501",
        **os.environ,
        "GATEWAY_MODELS_DIR": str(models),
        "MODEL_SERVER_MODEL_CONFIG_FILE": str(models / "models.config"),
        "MODEL_SERVER_MODEL_CONFIG_FILE_POLL_WAIT_SECONDS": "1",
    }
    environment.setdefault("GATEWAY_MODEL_SERVER", f"127.0.0.1:{environment['MODEL_SERVER_PORT']}")
    # The gateway comes last, so that it is stopped first: its calls under way need the model server.
    services = {
        "model server": start(environment, "-m", "serving.model_server"),
        "gateway": start(
            environment, "-m", "gunicorn", "-c", "serving/gateway/gunicorn.conf.py", "serving.gateway:create_app()"
        ),
    }
    threading.Thread(target=announce, args=(environment, stop), daemon=True).start()
    try:
        ended = watch(services, stop)
    finally:
        for service in reversed(services.values()):
            end(service)
    if ended:
        print(f"serving: the {ended} ended by itself, exit code {services[ended].returncode}", file=sys.stderr)
    return 1 if ended else 0


def start(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    """Start a service in a session of its own: Ctrl-C reaches this process alone, which then stops them in order."""
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, start_new_session=True)


def watch(services: Mapping[str, subprocess.Popen[bytes]], stop: threading.Event) -> str | None:
    """Return the name of the first service that ends, or None once `stop` is set."""
    while not stop.wait(POLL_SECONDS):
        for name, service in services.items():
            if service.poll() is not None:
                return name
    return None


def announce(environment: Mapping[str, str], stop: threading.Event) -> None:
    """Say where the gateway is as soon as every variant answers."""
    url = f"http://{environment['GATEWAY_HOST']}:{environment['GATEWAY_PORT']}"
    while not stop.wait(POLL_SECONDS):
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
        except OSError:  # not listening yet, or 503 while models load
            continue
        print(f"\ndropserve is ready: {url}   (Ctrl-C stops it)\n", flush=True)
        return


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
