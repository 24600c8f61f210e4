"""The gateway as it is run: gunicorn with its configuration, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import psutil
import requests

from testing.api import ADMIN_TOKEN
from testing.machine import ROOT, free_port
from testing.waiting import eventually

COMMAND = [
    sys.executable,
    "-m",
    "gunicorn",
    "-c",
    "serving/gateway/server/gunicorn.conf.py"
]


class Gateway:
    """A running gunicorn, which a `with` stops at its end."""

    def __init__(self, models: Path, model_server: str, *, quiet: bool = False, **others: object) -> None:
        """Start over `models`, with settings such as `workers=4`, `quiet` without a log; wait until it answers."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {
            "models_dir": models, "model_server": model_server, "port": self.port, "deadline_ms": 20_000,
            "database_url": f"sqlite:///{models}/experiments.db", "admin_token": ADMIN_TOKEN, **others,
        }  # fmt: skip
        environment = {**os.environ, **{f"GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}}
        self.metrics = models / "metrics"
        self.metrics.mkdir(exist_ok=True)
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(self.metrics)
        log = subprocess.DEVNULL if quiet else None
        self.process = subprocess.Popen(COMMAND, cwd=ROOT, env=environment, stderr=log)
        eventually(self._alive, "the gateway to answer", seconds=30)

    def _alive(self) -> bool:
        assert self.process.poll() is None, f"gunicorn ended with exit code {self.process.returncode}"
        try:
            return requests.get(f"{self.url}/healthz", timeout=10).ok
        except requests.ConnectionError:
            return False

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=40)
