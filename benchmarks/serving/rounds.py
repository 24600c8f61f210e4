"""Measure servers in turn: every load on each of them, one server at a time, round after round."""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import requests

from benchmarks.serving import wrk
from benchmarks.serving.bodies import LARGE, Bodies
from benchmarks.serving.servers import AGAINST, CEILING, GATEWAY, Running
from benchmarks.serving.starts import Start

CHECKED = 100  # images of which every server's labels are compared
WARM_UP_SECONDS = 2
SETTLE_SECONDS = 0.2  # in which a server that goes on closes the connections that ended meanwhile
GATEWAYS = (GATEWAY, AGAINST)


class Load(NamedTuple):
    """The kind of bodies that are sent, and over how many connections."""

    kind: str
    connections: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.connections}"


JSON_LOADS, PNG_LOADS = ([Load(kind, connections) for connections in (1, 16, 64)] for kind in ("json", "png"))
RAW = Load("raw", 4)
LOADS = {str(load): load for load in (*JSON_LOADS, *PNG_LOADS, RAW)}


@dataclass(frozen=True)
class Result(wrk.Result):
    """The figures of one round: those of wrk, and microseconds of processor time a request."""

    http_us: float  # of all processes of the HTTP server
    model_server_us: float  # 0 where the model runs in the HTTP server


@dataclass
class Measured:
    """All figures: results by load and server, one a round; megabytes of the gateways' larger worker; starts."""

    results: dict[str, dict[str, list[Result]]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    starts: dict[str, list[Start]] = field(default_factory=dict)


def applies(load: Load, server: str) -> bool:
    """Say whether a server is measured under a load: only gateways take raw pixels, the ceiling takes JSON alone."""
    return server in GATEWAYS or (load.kind != "raw" and (server != CEILING or load.kind == "json"))


def check(servers: Mapping[str, Running], bodies: Mapping[str, Bodies]) -> None:
    """Warm every server up; raise RuntimeError for one that gives other labels than the first."""
    right: dict[str, list[str]] = {}
    for name, server in servers.items():
        server.resume()
        for kind in ("json", "png"):
            if not applies(Load(kind, 1), name):
                continue
            wrk.run(url(server, kind), bodies[kind], 16, WARM_UP_SECONDS, server.headers)
            if name != CEILING:
                labels = [label(server, kind, bodies[kind], at) for at in range(CHECKED)]
                if labels != right.setdefault(kind, labels):
                    raise RuntimeError(f"{name} gives other labels for {kind} than {next(iter(servers))}")
        server.pause()


def label(server: Running, kind: str, bodies: Bodies, at: int) -> str:
    """Return a server's label of one image, asked on a new connection, so of any of its workers."""
    headers = {"Content-Type": bodies.content_type, **server.headers}
    answer = requests.post(url(server, kind), data=bodies.bodies[at], headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()["predictions"][0]["label"]


def url(server: Running, kind: str) -> str:
    """Return the address to which a server takes bodies of a kind."""
    return server.url + (server.png_path if kind == "png" else "/predict")


def measure(
    servers: Mapping[str, Running], bodies: Mapping[str, Bodies], loads: Sequence[Load], rounds: int, seconds: int
) -> Measured:
    """Put each load on each server for `seconds`, `rounds` times, in another order of servers each time."""
    seen = Measured()
    names = list(servers)
    for number in range(rounds):
        for load in loads:
            for name in names[number % len(names) :] + names[: number % len(names)]:
                if applies(load, name):
                    result = under(servers[name], bodies[load.kind], load, seconds)
                    seen.results.setdefault(str(load), {}).setdefault(name, []).append(result)
                    report_progress(number, load, name, result)
    seen.memory = {name: servers[name].largest_worker() for name in GATEWAYS if name in servers}
    return seen


def under(server: Running, bodies: Bodies, load: Load, seconds: int) -> Result:
    """Let one server run, under one load."""
    server.resume()
    time.sleep(SETTLE_SECONDS)
    try:
        before = server.processor_seconds()
        result = wrk.run(url(server, load.kind), bodies, load.connections, seconds, server.headers)
        spent = zip(before, server.processor_seconds(), strict=True)
        http_us, model_server_us = ((end - start) / result.requests * 1e6 for start, end in spent)
        return Result(**asdict(result), http_us=http_us, model_server_us=model_server_us)
    finally:
        server.pause()


def report_progress(number: int, load: Load, name: str, result: Result) -> None:
    """Print the newest result on the terminal that waits."""
    rate = result.rate * (LARGE if load == RAW else 1)
    print(
        f"round {number + 1}  {load!s:8} {name:17} {rate:10,.0f}/s  p99 {result.p99_ms:7.1f} ms  "
        f"{result.http_us:6.0f} + {result.model_server_us:.0f} µs",
        file=sys.stderr,
    )
