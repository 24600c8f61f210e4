"""Seconds from a gateway's start to its first answer, without any knowledge of its inside."""

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import requests

from benchmarks.serving.servers import Running, Server, is_gunicorn, own_copy

LOOK_SECONDS = 0.01


class Start(NamedTuple):
    """Seconds until `/healthz` answers: from gunicorn's start, and from that of `python -m serving`."""

    gateway: float
    all: float


def measure_starts(servers: Mapping[str, Server], models: Path, times: int) -> dict[str, list[Start]]:
    """Start each server so many times, in turns; `models` holds one variant."""
    seen: dict[str, list[Start]] = {name: [] for name in servers}
    for number in range(times):
        for name, server in servers.items():
            with tempfile.TemporaryDirectory() as folder:
                start = _measure(name, server, own_copy(models, Path(folder)))
            seen[name].append(start)
            print(f"start {number + 1}  {name:17} {start.gateway:6.2f} s of {start.all:6.2f} s", file=sys.stderr)
    return seen


def _measure(name: str, server: Server, models: Path) -> Start:
    began = time.perf_counter()
    running = Running(name, server, models)
    try:
        running.wait_for(lambda: requests.get(f"{running.url}/healthz", timeout=5), LOOK_SECONDS)
        seconds = time.perf_counter() - began
        processes = running.processes()
        gunicorn = min(each.create_time() for each in processes if is_gunicorn(each))
        return Start(seconds - (gunicorn - processes[0].create_time()), seconds)
    finally:
        running.stop()
