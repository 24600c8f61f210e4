"""The goals, each with the measured figure."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.serving.rounds import Measured, Result
from benchmarks.serving.servers import AGAINST, CEILING, GATEWAY, KEEPING, PROTECTED


class Figure(NamedTuple):
    """A field of a result, and its name in a table."""

    field: str
    name: str


RATE = Figure("rate", "requests/s")
P50, P99 = Figure("p50_ms", "p50, ms"), Figure("p99_ms", "p99, ms")
HTTP, MODEL_SERVER = Figure("http_us", "HTTP worker, µs"), Figure("model_server_us", "model server, µs")


class Wanted(NamedTuple):
    """A goal for the ratio of a server's figure under a load to another's."""

    load: str
    figure: Figure
    beside: str
    goal: float
    at_most: bool = False
    ours: str = GATEWAY


RATIOS = (
    Wanted("json:64", RATE, AGAINST, 1.25),
    Wanted("json:16", RATE, AGAINST, 1.05),
    Wanted("png:64", RATE, AGAINST, 1.1),
    Wanted("json:64", P99, AGAINST, 0.65, at_most=True),
    Wanted("json:1", P50, AGAINST, 1.5, at_most=True),
    Wanted("json:64", HTTP, AGAINST, 0.7, at_most=True),
    Wanted("raw:4", RATE, AGAINST, 1),
    Wanted("json:64", RATE, "fastapi_tuned", 1.15),
    Wanted("json:64", RATE, "fastapi_grpc", 2),
    Wanted("json:64", RATE, "flask_grpc", 3),
    Wanted("json:64", RATE, GATEWAY, 0.95, ours=PROTECTED),
    Wanted("json:64", RATE, GATEWAY, 0.97, ours=KEEPING),
)
MEMORY_MB = 110
START_RATIO = 1.2


@dataclass(frozen=True)
class Goal:
    """A figure, its bound, below (or above: `at_most`), and the other side of its comparison."""

    name: str
    figure: float
    goal: float
    at_most: bool = False
    unit: str = "×"
    beside: str = ""

    @property
    def reached(self) -> bool:
        """Say whether the figure is as good as the goal."""
        return self.figure <= self.goal if self.at_most else self.figure >= self.goal


def goals(seen: Measured) -> Iterator[Goal]:
    """Yield each goal for which enough was measured.

    A ratio is the median, over the rounds, of the ratio within a round, whose sides were measured side by side.
    """
    for load, figure, beside, goal, at_most, ours in RATIOS:
        by_server = seen.results.get(load, {})
        if ours in by_server and beside in by_server:
            seen_ratio = ratio(by_server[ours], by_server[beside], figure)
            others = f" ({_listed(by_server, figure)})" if figure is P50 else ""
            name = "" if ours == GATEWAY else f"{ours}, "
            yield Goal(f"{name}{load}, {figure.name}", seen_ratio, goal, at_most, beside=beside + others)
    if GATEWAY in seen.memory:
        yield Goal("memory of a worker", seen.memory[GATEWAY], MEMORY_MB, True, " MB")
    if AGAINST in seen.starts:
        here, there = (statistics.median(start.gateway for start in seen.starts[name]) for name in (GATEWAY, AGAINST))
        yield Goal("until it answers", here / there, START_RATIO, at_most=True, beside=AGAINST)


def median(results: Sequence[Any], field: str) -> float:
    """Return the median of one field over the rounds."""
    return statistics.median(getattr(result, field) for result in results)


def ratio(ours: Sequence[Result], theirs: Sequence[Result], figure: Figure) -> float:
    """Return the median, over the rounds, of a figure's ratio within a round."""
    return statistics.median(
        getattr(a, figure.field) / getattr(b, figure.field) for a, b in zip(ours, theirs, strict=True)
    )


def _listed(by_server: dict[str, list[Result]], figure: Figure) -> str:
    """Return a figure's median of this gateway and of every peer."""
    names = [name for name in by_server if name not in (AGAINST, CEILING, PROTECTED, KEEPING)]
    return ", ".join(f"{name} {median(by_server[name], figure.field):.2f}" for name in names)
