"""Figures as tables to read and as JSON to keep."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.serving.bodies import LARGE
from benchmarks.serving.goals import HTTP, MODEL_SERVER, P50, P99, RATE, Goal, median, ratio
from benchmarks.serving.rounds import RAW, Measured
from benchmarks.serving.servers import AGAINST, GATEWAY, Server

COMPARED = (
    ("json:64", RATE), ("json:16", RATE), ("json:1", RATE), ("png:64", RATE), ("json:64", P50), ("json:64", P99),
    ("json:1", P50), (str(RAW), RATE), ("json:64", HTTP), ("json:64", MODEL_SERVER),
)  # fmt: skip


def table(seen: Measured, servers: Mapping[str, Server], goals: Sequence[Goal]) -> str:
    """Return a row a load and server, then the two gateways side by side, then a row a goal."""
    return "\n".join([*_loads(seen, servers), *_side_by_side(seen, servers), *_goals(goals)])


def _loads(seen: Measured, servers: Mapping[str, Server]) -> Iterator[str]:
    """Yield a row a load and server, medians over the rounds."""
    yield ""
    yield (
        f"{'load':9} {'server':36} {'requests/s':>10} {'(from':>8} {'to)':>8} {'p50 ms':>8} {'p99 ms':>8}"
        f" {'HTTP µs':>8} {'model µs':>8}"
    )
    for load, by_server in seen.results.items():
        for name, results in by_server.items():
            rates = [result.rate for result in results]
            yield (
                f"{load:9} {servers[name].title:36} {median(results, 'rate'):10,.0f} {min(rates):8,.0f} "
                f"{max(rates):8,.0f} {median(results, 'p50_ms'):8.2f} {median(results, 'p99_ms'):8.1f} "
                f"{median(results, 'http_us'):8.0f} {median(results, 'model_server_us'):8.0f}"
            )
    if str(RAW) in seen.results:
        yield f"(raw: {LARGE:,} images a request; requests of json and png hold one)"


def _side_by_side(seen: Measured, servers: Mapping[str, Server]) -> Iterator[str]:
    """Yield a row a figure of both gateways, where there are two."""
    if AGAINST not in servers:
        return
    yield ""
    yield f"{'beside ' + servers[AGAINST].title:34} {'this':>10} {'that':>10} {'ratio':>7}"
    for load, figure in COMPARED:
        by_server = seen.results.get(load, {})
        if GATEWAY in by_server and AGAINST in by_server:
            ours, theirs = by_server[GATEWAY], by_server[AGAINST]
            yield _row(
                f"{load}, {figure.name}",
                median(ours, figure.field),
                median(theirs, figure.field),
                ratio(ours, theirs, figure),
            )
    if AGAINST in seen.memory:
        ours_mb, theirs_mb = seen.memory[GATEWAY], seen.memory[AGAINST]
        yield _row("memory of a worker, MB", ours_mb, theirs_mb, ours_mb / theirs_mb)
    if AGAINST in seen.starts:
        for field, name in (("gateway", "gateway answers after, s"), ("all", "model server and gateway, s")):
            this, that = (median(seen.starts[name], field) for name in (GATEWAY, AGAINST))
            yield _row(name, this, that, this / that)


def _row(name: str, this: float, that: float, ratio: float) -> str:
    return f"{name:34} {this:10,.2f} {that:10,.2f} {ratio:6.2f}×"


def _goals(goals: Sequence[Goal]) -> Iterator[str]:
    """Yield a row a goal."""
    yield ""
    yield f"{'goal':30} {'figure':>12} {'goal':>12}           beside"
    for goal in goals:
        wanted = f"{'≤' if goal.at_most else '≥'} {goal.goal:g}{goal.unit}"
        reached = "reached" if goal.reached else "missed"
        yield f"{goal.name:30} {goal.figure:9.2f}{goal.unit:3} {wanted:>12}  {reached:8} {goal.beside}"


def as_json(seen: Measured, goals: Sequence[Goal], variant: str) -> dict[str, Any]:
    """Return every figure of every round, and the goals."""
    return {
        "variant": variant,
        "goals": [{**dataclasses.asdict(goal), "reached": goal.reached} for goal in goals],
        "loads": {
            load: {name: [dataclasses.asdict(result) for result in results] for name, results in by_server.items()}
            for load, by_server in seen.results.items()
        },
        "images_a_raw_request": LARGE,
        "worker_megabytes": seen.memory,
        "starts": {name: [start._asdict() for start in starts] for name, starts in seen.starts.items()},
    }
