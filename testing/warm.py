"""Start `python -m MODULE` from a process that has loaded TensorFlow and the gateway's packages.

Their import costs more than all that follows.

The new process is a real one with arguments, environment, pipes and signals of its own. It is forked by the standard
library's fork server instead of executed, so start a process the ordinary way where its imports are under test.
"""

import gc
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import IO, Any, Self

_servers = multiprocessing.get_context("forkserver")
# pysqlite3 comes first, or it would take TensorFlow's SQLite for its own. prometheus_client has no place here: it looks
# at the environment as it is imported.
_servers.set_forkserver_preload(
    [
        "pysqlite3.dbapi2", "tensorflow", "keras", "tensorflow_serving.apis.prediction_service_pb2_grpc",
        "flask_openapi", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql", "psycopg", "alembic.command",
        "pydantic_settings", "PIL.Image", "mahotas", "grpc.aio", "grpc_health.v1.health_pb2", "orjson", "a2wsgi",
        "uvicorn_worker", "gunicorn.app.wsgiapp",
    ]
)  # fmt: skip


class WarmProcess:
    """A process of `python -m module arguments`, with a Popen's methods."""

    def __init__(
        self, module: str, *arguments: object, env: Mapping[str, str] | None = None,
        stdout: int | IO[bytes] | None = None, stderr: int | IO[bytes] | None = None, text: bool = False,
    ) -> None:  # fmt: skip
        """Start it; `stdout` and `stderr` are None for this process's, PIPE to be read as text or bytes, or a file."""
        self.returncode: int | None = None
        self.stdout: IO[Any] | None
        self.stderr: IO[Any] | None
        self.stdout, out = _pipe(text) if stdout == subprocess.PIPE else (None, _own(stdout, 1))
        self.stderr, err = _pipe(text) if stderr == subprocess.PIPE else (None, _own(stderr, 2))
        environment = dict(os.environ if env is None else env)
        command = [module, *map(str, arguments)]
        self._process = _servers.Process(target=_run, args=(command, environment, out, err), daemon=True)
        self._process.start()
        self.pid = self._process.pid or 0
        for each in (out, err):
            each.close()

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        if self.returncode is None:
            self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code as soon as it ends; raise TimeoutExpired."""
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        """Return all that it wrote to its pipes once it ends."""
        with ThreadPoolExecutor(2) as readers:
            read = [readers.submit(each.read) if each else None for each in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()  # or its readers would never end
                raise
        self._close_pipes()
        return tuple(each.result() if each else None for each in read)  # type: ignore[return-value]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for each in (self.stdout, self.stderr):
            if each:
                each.close()


def run(module: str, *arguments: object, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `python -m module arguments` to its end; return its exit code, and its outputs as text."""
    with WarmProcess(module, *arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess([module, *map(str, arguments)], process.wait(), out, err)


def _pipe(text: bool) -> tuple[IO[Any], Connection]:
    """Return the end to read, as a file, and the end to give to a process."""
    reader, writer = _servers.Pipe(duplex=False)
    with reader:
        return os.fdopen(os.dup(reader.fileno()), "r" if text else "rb"), writer


def _own(file: int | IO[bytes] | None, inherited: int) -> Connection:
    """Return a file's descriptor in a form that can be sent to a process; `file` is as in WarmProcess."""
    if file == subprocess.DEVNULL:
        return Connection(os.open(os.devnull, os.O_WRONLY), readable=False)
    return Connection(os.dup(inherited if file is None or isinstance(file, int) else file.fileno()), readable=False)


def _run(command: list[str], environment: dict[str, str], *outputs: Connection) -> None:
    """Become the program; runs in the new process."""
    gc.freeze()  # a look at all that is loaded takes longer than to start the gateway
    os.environ.clear()
    os.environ.update(environment)
    for number, output in enumerate(outputs, start=1):
        os.dup2(output.fileno(), number)
        output.close()
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
