"""One line of the result: a fault, the share of runs that show it, and the largest share allowed."""

from typing import Any, NamedTuple

from benchmarks.simulation import ALPHA, FOR_A_SIDE
from testing.replays import most


class Row(NamedTuple):
    """A fault's letter, what was simulated, the figure seen, its bound, and whether it is kept."""

    letter: str
    what: str
    seen: float
    bound: float
    ok: bool


class Effort(NamedTuple):
    """Numbers of runs: on counts alone, on a store, and through the application."""

    counts: int
    store: int
    application: int


WHOLE, SHORT = Effort(500, 100, 5), Effort(30, 2, 1)


def seldom(letter: str, what: str, shown: int, runs: int, alpha: float = ALPHA) -> Row:
    """Return a row that may show in `alpha` of the runs, and two standard errors."""
    bound = most(runs, alpha)
    return Row(letter, f"{what}, {runs:,} runs", shown / runs, bound, shown / runs <= bound)


def never(letter: str, what: str, shown: int, of: int, things: str = "runs") -> Row:
    """Return a row that may show in none of the runs, or other `things`."""
    return Row(letter, f"{what}, {of:,} {things}", shown / of, 0.0, not shown)


def decided(report: dict[str, Any]) -> bool:
    """Say whether a report recommends a side."""
    return report["decision"]["recommendation"] in FOR_A_SIDE
