"""The goals, and what of the measured figures each is about."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.serving.bodies import LARGE
from benchmarks.serving.rounds import RAW, Measured
from benchmarks.serving.servers import CEILING, GATEWAY, PEERS
from benchmarks.serving.wrk import Result

TUTORIAL = "fastapi_tutorial"
DOCUMENTED = "fastapi_async"  # calls the model as TensorFlow documents it
FIGURES = {"rate": ("requests/s", False), "p99_ms": ("p99", True)}  # of a result → its name, whether less is better
MEMORY_REQUESTS = 100_000  # a worker
MEMORY_MB, GROWTH_MB = 100, 2


@dataclass(frozen=True)
class Goal:
    """A figure, what it should at least (or `at_most`) be, and beside what it was measured."""

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
    for load, goal in (("json:64", 1.5), ("json:16", 1.2), ("png:64", 1.3)):
        for peer in dict.fromkeys((_fastest(seen, load), DOCUMENTED)):  # often one and the same
            yield from _ratio_to(seen, load, "rate", goal, peer)
    yield from _ratio_to(seen, "json:64", "rate", 3, TUTORIAL)
    yield from _ratio_to(seen, "json:16", "rate", 2.5, TUTORIAL)
    by_server = seen.results.get("json:64", {})
    if peers := _peers(by_server):
        best = min(peers, key=lambda name: median(by_server[name], "p99_ms"))
        for peer in dict.fromkeys((best, DOCUMENTED)):
            yield from _ratio_to(seen, "json:64", "p99_ms", 0.5, peer)
    if alone := seen.results.get("json:1", {}):
        others = ", ".join(f"{name} {median(alone[name], 'p50_ms'):.2f}" for name in _peers(alone))
        yield Goal("json:1, p50", median(alone[GATEWAY], "p50_ms"), 1.5, at_most=True, unit=" ms", beside=others)
    yield from _ratio_to(seen, "json:64", "rate", 0.55, CEILING)
    if seen.forward:
        large = [result.rate * LARGE for result in seen.results[str(RAW)][GATEWAY]]
        figure = statistics.median(a / b for a, b in zip(large, seen.forward, strict=True))
        yield Goal(f"{RAW}, images/s", figure, 0.5, beside=f"forward pass {statistics.median(seen.forward):,.0f}")
    if seen.memory and (last := seen.memory[-1]).requests >= MEMORY_REQUESTS:
        yield Goal("memory of a worker", last.megabytes, MEMORY_MB, True, " MB", f"after {last.requests:,} requests")
        # Requests of a thousand images leave more than others for a while, so what followed the same load is compared.
        alike = [each for each in seen.memory if each.load == last.load and each.requests >= MEMORY_REQUESTS / 2]
        grown = last.megabytes - alike[0].megabytes
        yield Goal("growth of a worker", grown, GROWTH_MB, True, " MB", "over the second half of them")


def median(results: Sequence[Result], figure: str) -> float:
    """Return the median of one figure over the rounds."""
    return statistics.median(getattr(result, figure) for result in results)


def _ratio_to(seen: Measured, load: str, figure: str, goal: float, beside: str | None) -> Iterator[Goal]:
    """Yield the goal for one of FIGURES, against the named server, if both were measured."""
    by_server = seen.results.get(load, {})
    if GATEWAY in by_server and beside in by_server:
        name, at_most = FIGURES[figure]
        yield Goal(
            f"{load}, {name}", _ratio(by_server[GATEWAY], by_server[beside], figure), goal, at_most, beside=beside
        )


def _fastest(seen: Measured, load: str) -> str | None:
    """Return the peer that answered most requests a second, None if none was measured beside the gateway."""
    by_server = seen.results.get(load, {})
    return max(_peers(by_server), key=lambda name: median(by_server[name], "rate"), default=None)


def _peers(by_server: dict[str, list[Result]]) -> list[str]:
    return [name for name in PEERS if name in by_server] if GATEWAY in by_server else []


def _ratio(ours: Sequence[Result], theirs: Sequence[Result], figure: str) -> float:
    return statistics.median(getattr(a, figure) / getattr(b, figure) for a, b in zip(ours, theirs, strict=True))
