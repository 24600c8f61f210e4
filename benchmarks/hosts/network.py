"""Hosts of their own on one machine: network namespaces on a bridge, which a block makes and removes."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from testing.machine import ROOT

NETWORK = "10.213.77"
STOP_SECONDS = 30


class Host:
    """A network namespace with an address, and the processes that run in it."""

    def __init__(self, name: str, address: str, link: str) -> None:
        self.name, self.address, self._link = name, address, link
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[object], log: Path, **options: Any) -> subprocess.Popen[bytes]:
        """Start a process here, in a group of its own; its output goes to the end of a file."""
        environment: Mapping[str, str] = {**os.environ, **options.pop("env", {})}
        inside = ["ip", "netns", "exec", self.name, *map(str, command)]
        with log.open("ab") as file:
            process = subprocess.Popen(
                inside, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True, **options
            )
        self.processes.append(process)
        return process

    def connect(self, up: bool) -> None:
        """Cut the host's link, or mend it."""
        _ip("link", "set", self._link, "up" if up else "down")

    def kill(self) -> None:
        """Kill all processes at once, as a power cut does."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
        for process in self.processes:
            process.wait(STOP_SECONDS)
        self.processes.clear()


@contextmanager
def hosts(names: Sequence[str]) -> Iterator[list[Host]]:
    """Make a namespace for each name, joined by a bridge on which this process is NETWORK.1; remove all at the end."""
    tag = f"ds{os.getpid() % 100_000}"
    undo: list[Callable[[], object]] = []
    try:
        _ip("link", "add", tag, "type", "bridge")
        undo.append(lambda: _ip("link", "delete", tag))
        _ip("address", "add", f"{NETWORK}.1/24", "dev", tag)
        _ip("link", "set", tag, "up")
        made = []
        for number, name in enumerate(names, 2):
            namespace, link = f"{tag}-{name}", f"{tag}v{number}"
            _ip("netns", "add", namespace)
            undo.append(lambda namespace=namespace: _ip("netns", "delete", namespace))  # type: ignore[misc]
            _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            _ip("link", "set", link, "master", tag, "up")
            host = Host(namespace, f"{NETWORK}.{number}", link)
            undo.append(host.kill)
            _ip("-n", namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", namespace, "link", "set", device, "up")
            made.append(host)
        yield made
    finally:
        for step in reversed(undo):
            with suppress(subprocess.SubprocessError, OSError):
                step()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
