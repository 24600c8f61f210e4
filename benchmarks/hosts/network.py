"""Hosts of their own on one machine: network namespaces on a bridge, which a block makes and removes.

The bridge has a namespace, too: this machine's firewall, such as Docker's, is none between the hosts.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from testing.machine import ROOT

NETWORK = "10.213.77"
STOP_SECONDS = 30


class Host:
    """A network namespace with an address, and the processes that run in it."""

    def __init__(self, name: str, address: str, switch: str) -> None:
        self.name, self.address, self._switch = name, address, switch
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
        _ip("-n", self._switch, "link", "set", self.name, "up" if up else "down")

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
    """Make a namespace for each name, joined by a bridge on which this process is NETWORK.1.

    Remove all at the end, which SIGTERM brings about, too.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    tag = f"ds{os.getpid() % 100_000}"
    undo: list[Callable[[], object]] = []

    def namespace(name: str) -> str:
        _ip("netns", "add", name)
        undo.append(lambda: _ip("netns", "delete", name))
        _ip("-n", name, "link", "set", "lo", "up")
        return name

    def plug(name: str, *inside: str, device: str, number: int) -> None:
        """Join a namespace, or this one, to the bridge by a link that is called by its name there."""
        where = ("-n", *inside) if inside else ()
        _ip(
            "-n",
            switch,
            "link",
            "add",
            name,
            "type",
            "veth",
            "peer",
            "name",
            device,
            "netns",
            *(inside or (str(os.getpid()),)),
        )
        _ip("-n", switch, "link", "set", name, "master", "bridge", "up")
        _ip(*where, "address", "add", f"{NETWORK}.{number}/24", "dev", device)
        _ip(*where, "link", "set", device, "up")

    try:
        switch = namespace(f"{tag}-switch")
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        plug("front", device=tag, number=1)
        made = []
        for number, name in enumerate(names, 2):
            host = Host(namespace(f"{tag}-{name}"), f"{NETWORK}.{number}", switch)
            undo.append(host.kill)
            plug(host.name, host.name, device="eth0", number=number)
            made.append(host)
        yield made
    finally:
        for step in reversed(undo):
            with suppress(subprocess.SubprocessError, OSError):
                step()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
