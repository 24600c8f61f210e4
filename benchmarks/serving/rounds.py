"""Measure servers in turn: every load on each of them, one server at a time, round after round."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import requests

from benchmarks.serving import wrk
from benchmarks.serving.bodies import LARGE, Bodies
from benchmarks.serving.servers import CEILING, GATEWAY, PEERS_PYTHON, ROOT, Running, model_folder

CHECKED = 100  # images of which every server's labels are compared
WARM_UP_SECONDS = 2
SETTLE_SECONDS = 0.2  # in which a server that goes on closes the connections that ended meanwhile


class Load(NamedTuple):
    """What is sent, over how many connections."""

    kind: str
    connections: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.connections}"


JSON_LOADS, PNG_LOADS = ([Load(kind, connections) for connections in (1, 16, 64)] for kind in ("json", "png"))
RAW = Load("raw", 4)
LOADS = {str(load): load for load in (*JSON_LOADS, *PNG_LOADS, RAW)}


class Weighed(NamedTuple):
    """The memory of the gateway's largest worker, after one load."""

    requests: int  # a worker, so far
    megabytes: float
    load: str


@dataclass
class Measured:
    """All that was seen: results by load and server, one a round; images a second without a server; memory."""

    results: dict[str, dict[str, list[wrk.Result]]] = field(default_factory=dict)
    forward: list[float] = field(default_factory=list)
    sent: int = 0  # requests that the gateway has answered
    memory: list[Weighed] = field(default_factory=list)


def applies(load: Load, server: str) -> bool:
    """Say whether a server is measured under a load: raw pixels are the gateway's alone, the ceiling is of JSON."""
    return server == GATEWAY or (load.kind != "raw" and (server != CEILING or load.kind == "json"))


def check(servers: Mapping[str, Running], bodies: Mapping[str, Bodies]) -> None:
    """Warm every server up; raise RuntimeError for one that does not give the labels that the first of them gives."""
    right: dict[str, list[str]] = {}
    for name, server in servers.items():
        server.resume()
        for kind in ("json", "png"):
            if not applies(Load(kind, 1), name):
                continue
            wrk.run(url(server, kind), bodies[kind], 16, WARM_UP_SECONDS)
            if name != CEILING:
                labels = [label(server, kind, bodies[kind], at) for at in range(CHECKED)]
                if labels != right.setdefault(kind, labels):
                    raise RuntimeError(f"{name} gives other labels for {kind} than {next(iter(servers))}")
        server.pause()


def label(server: Running, kind: str, bodies: Bodies, at: int) -> str:
    """Return what a server says of one image, asked on a new connection, so of any of its workers."""
    headers = {"Content-Type": bodies.content_type}
    answer = requests.post(url(server, kind), data=bodies.bodies[at], headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()["predictions"][0]["label"]


def url(server: Running, kind: str) -> str:
    """Return where a server takes bodies of a kind."""
    return server.url + (server.png_path if kind == "png" else "/predict")


def measure(
    servers: Mapping[str, Running], bodies: Mapping[str, Bodies], loads: Sequence[Load], rounds: int, seconds: int
) -> Measured:
    """Put each load on each server for `seconds`, `rounds` times, in another order of servers each time."""
    seen = Measured()
    names = list(servers)
    with forward_pass(RAW in loads and GATEWAY in servers, next(iter(servers.values())).models) as forward:
        for number in range(rounds):
            for load in loads:
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    if applies(load, name):
                        result = under(servers[name], bodies[load.kind], load, seconds)
                        seen.results.setdefault(str(load), {}).setdefault(name, []).append(result)
                        if name == GATEWAY:
                            weigh(servers[name], seen, load, result)
                        report_progress(number, load, name, result)
                if load == RAW and forward:
                    seen.forward.append(ask(forward, seconds))
    return seen


def under(server: Running, bodies: Bodies, load: Load, seconds: int) -> wrk.Result:
    """Let one server run, under one load."""
    server.resume()
    time.sleep(SETTLE_SECONDS)
    try:
        return wrk.run(url(server, load.kind), bodies, load.connections, seconds)
    finally:
        server.pause()


def weigh(gateway: Running, seen: Measured, load: Load, result: wrk.Result) -> None:
    """Note the memory of the gateway's largest worker, and how many requests each has had on average."""
    workers = gateway.workers()
    seen.sent += result.requests
    largest = max(worker.memory_info().rss for worker in workers)
    seen.memory.append(Weighed(seen.sent // len(workers), largest / 1e6, str(load)))


def fill_up(gateway: Running, bodies: Bodies, seen: Measured, requests_a_worker: int) -> None:
    """Go on with JSON over 64 connections until every worker has had so many requests."""
    load = Load("json", 64)
    while not seen.memory or seen.memory[-1].requests < requests_a_worker:
        weigh(gateway, seen, load, under(gateway, bodies, load, seconds=5))


@contextmanager
def forward_pass(wanted: bool, models: Path) -> Iterator[subprocess.Popen[str] | None]:
    """Start the program that runs the model without a server, if it is wanted."""
    if not wanted:
        yield None
        return
    command = [str(PEERS_PYTHON), "-m", "benchmarks.serving.forward", str(model_folder(models))]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        ask(process, 1)
        yield process
        process.communicate()


def ask(forward: subprocess.Popen[str], seconds: float) -> float:
    """Return images a second of the bare forward pass, measured for `seconds`."""
    assert forward.stdin and forward.stdout
    forward.stdin.write(f"{seconds}\n")
    forward.stdin.flush()
    return float(forward.stdout.readline())


def report_progress(number: int, load: Load, name: str, result: wrk.Result) -> None:
    """Say what was just seen, on the terminal that waits."""
    rate = result.rate * (LARGE if load == RAW else 1)
    print(f"round {number + 1}  {load!s:8} {name:17} {rate:10,.0f}/s  p99 {result.p99_ms:7.1f} ms", file=sys.stderr)
