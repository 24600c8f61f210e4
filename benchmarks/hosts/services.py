"""Run services on the hosts: PostgreSQL on one, a gateway and a model server on each other, HAProxy before them."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from sys import executable
from typing import Any

import psycopg
import requests

from benchmarks.hosts.network import NETWORK, STOP_SECONDS, Host
from testing.api import ADMIN_TOKEN
from testing.machine import ROOT, listens
from testing.running_gateway import COMMAND
from testing.waiting import eventually

GATEWAY, FRONT = 8080, 8088
SERVERS = ("one", "two", "three")  # as haproxy.cfg calls them
URL = f"http://{NETWORK}.1:{FRONT}"
CORES = {"MODEL_SERVER_TENSORFLOW_SESSION_PARALLELISM": "1", "OMP_NUM_THREADS": "1"}


class Database:
    """PostgreSQL on a host, for all others of the network, with commits that wait for the disk."""

    def __init__(self, host: Host, folder: Path) -> None:
        """Make a new database and start it."""
        self._host, self._data, self._log = host, folder / "data", folder / "postgresql.log"
        user = next(user for user in ("postgres", "nobody") if _exists(user))
        self.url = f"postgresql://postgres@{host.address}/postgres"
        shutil.chown(folder, user)
        self._as_user = ["setpriv", f"--reuid={user}", "--clear-groups"]
        initdb = [*self._as_user, _program("initdb"), "-D", str(self._data), "-U", "postgres", "-A", "trust"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        with (self._data / "pg_hba.conf").open("a") as file:
            file.write(f"host all all {NETWORK}.0/24 trust\n")
        self.start()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        command = [*self._as_user, _program("postgres"), "-D", self._data, "-h", self._host.address, "-k", self._data]
        self._process = self._host.start(command, self._log)
        eventually(self._answers, "PostgreSQL")

    def _answers(self) -> bool:
        assert self._process.poll() is None, f"PostgreSQL ended: {self._log.read_text()[-500:]}"
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop the server at once; it recovers from its log at the next start."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(STOP_SECONDS)


class Service:
    """A gateway and its model server on a host."""

    def __init__(self, host: Host, name: str, database: str, folder: Path, **settings: Any) -> None:
        """Prepare; `settings` are of the gateway."""
        self.host, self.name, self._folder = host, name, folder
        self.url = f"http://{host.address}:{GATEWAY}"
        self._environment = {
            "GATEWAY_HOST": host.address, "GATEWAY_PORT": str(GATEWAY), "GATEWAY_DATABASE_URL": database,
            "GATEWAY_ADMIN_TOKEN": ADMIN_TOKEN, "GATEWAY_HOSTS": "*", "GATEWAY_TRUSTED_PROXIES": f"{NETWORK}.1",
            "GATEWAY_MODEL_SERVER": f"unix:{folder}/{name}.sock", "GATEWAY_WORKERS": "1", "GATEWAY_ACCESS_LOG": "false",
            "GATEWAY_KEEP_LABELLED": "0",
        } | {f"GATEWAY_{key.upper()}": str(value) for key, value in settings.items()}  # fmt: skip

    def start(self, prefix: Sequence[str] = ()) -> None:
        """Start both; a `prefix` such as taskset goes before their commands."""
        server = [*prefix, executable, "-m", "serving.model_server", "--port=0", f"--grpc_socket_path={self._socket}",
                  f"--model_config_file={ROOT}/models/models.config"]  # fmt: skip
        self.host.start(server, self._folder / f"{self.name}-model-server.log", env=CORES)
        self.gateway = self.host.start([*prefix, *COMMAND], self._folder / f"{self.name}-gateway.log",
                                       env={**CORES, **self._environment})  # fmt: skip

    @property
    def _socket(self) -> str:
        return self._environment["GATEWAY_MODEL_SERVER"].removeprefix("unix:")

    def ready(self) -> bool:
        """Say whether every variant answers."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=2).ok
        except requests.RequestException:
            return False

    def stop(self) -> None:
        """Stop the gateway as a rolling restart does, then the model server."""
        for process in reversed(self.host.processes):
            process.terminate()
            process.wait(2 * STOP_SECONDS)
        self.host.processes.clear()

    def default(self) -> str | None:
        """Return the default variant as the host serves it."""
        try:
            return requests.post(f"{self.url}/predict", data=bytes(784), headers=RAW, timeout=2).headers["X-Variant"]
        except (requests.RequestException, KeyError):
            return None


RAW = {"Content-Type": "application/octet-stream"}


class Front:
    """HAProxy before the services."""

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path

    def set(self, server: str, state: str) -> None:
        """Bring a server into the state `drain` or `ready`."""
        self._ask(f"set server gateways/{server} state {state}")

    def requests_at(self, server: str) -> int:
        """Return how many requests a server is answering now."""
        head, *rows = (line.split(",") for line in self._ask("show stat").lstrip("# ").splitlines() if line)
        return next(int(row[head.index("scur")]) for row in rows if row[:2] == ["gateways", server])

    def _ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._path))
            connection.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@contextmanager
def front(services: Sequence[Service], folder: Path) -> Iterator[Front]:
    """Run HAProxy with the configuration that the docs name."""
    path = folder / "haproxy.sock"
    addresses = {f"HOSTS_{n}": f"{each.host.address}:{GATEWAY}" for n, each in enumerate(services, 1)}
    environment = {**os.environ, **addresses, "HOSTS_BIND": f"{NETWORK}.1:{FRONT}", "HOSTS_SOCKET": str(path)}
    with (folder / "haproxy.log").open("ab") as log:
        process = subprocess.Popen(["haproxy", "-f", ROOT / "deploy/hosts/haproxy.cfg"], env=environment, stderr=log)
    try:
        eventually(lambda: listens(FRONT, f"{NETWORK}.1"), "HAProxy")
        yield Front(path)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _exists(user: str) -> bool:
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


def _program(name: str) -> str:
    """Return a program of PostgreSQL, which Debian keeps out of the path; raise FileNotFoundError."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(installed[-1]) if installed else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is missing; on Debian: apt-get install postgresql")
    return found
