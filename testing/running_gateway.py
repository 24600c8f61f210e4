"""The gateway as it is run: gunicorn with its configuration, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Self

import psutil
import requests

from testing.api import ADMIN_TOKEN
from testing.machine import ROOT, free_port, listens
from testing.waiting import PATIENCE, eventually
from testing.warm import WarmProcess

ARGUMENTS = ["gunicorn", "-c", "serving/gateway/server/gunicorn.conf.py"]
COMMAND = [sys.executable, "-m", *ARGUMENTS]


class Gateway:
    """A running gunicorn, which a `with` stops at its end."""

    def __init__(
        self, models: Path, model_server: str, *, quiet: bool = False, log: Path | None = None,
        checkout: Path | None = None, **others: object,
    ) -> None:  # fmt: skip
        """Start over `models`, with settings such as `workers=4`; wait until it answers.

        It is that of this repository, or of another `checkout` with an environment of its own. Its log goes to the
        file `log`, nowhere where it is `quiet`, else to this process's standard error.
        """
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
        with (log or Path(os.devnull)).open("ab") as file:
            errors = file if log or quiet else None
            self.process = self._start(environment, errors, checkout)
        try:
            eventually(self._listens, "the gateway to listen")
            requests.get(f"{self.url}/healthz", timeout=PATIENCE).raise_for_status()
        except BaseException:
            self._kill()
            raise

    def _start(
        self, environment: dict[str, str], errors: IO[bytes] | None, checkout: Path | None
    ) -> subprocess.Popen[bytes] | WarmProcess:
        """Start the process."""
        command: list[str | Path] = [checkout / ".venv" / "bin" / "python", *COMMAND[1:]] if checkout else [*COMMAND]
        return subprocess.Popen(command, cwd=checkout or ROOT, env=environment, stderr=errors)

    def _listens(self) -> bool:
        """Say whether its port takes connections, which a request over HTTP would ask at a hundred times the cost."""
        assert self.process.poll() is None, f"gunicorn ended with exit code {self.process.returncode}"
        return listens(self.port)

    def workers(self) -> list[psutil.Process]:
        """Return the worker processes that run now."""
        return psutil.Process(self.process.pid).children()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> int:
        """End it by SIGTERM and return its exit code; kill it where that takes too long."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=PATIENCE)
        finally:
            self._kill()

    def _kill(self) -> None:
        """End what is left of it; workers follow the process that started them."""
        self.process.kill()
        self.process.wait()


class WarmGateway(Gateway):
    """The same in a tenth of the time; its memory and its imports are not those of the gateway as it is run."""

    def _start(self, environment: dict[str, str], errors: IO[bytes] | None, checkout: Path | None) -> WarmProcess:
        assert checkout is None
        return WarmProcess(*ARGUMENTS, env=environment, stderr=errors)
