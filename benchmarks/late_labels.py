"""Check that labels which come later for one of two equal arms decide nothing, on counts as the store has them.

    python -m benchmarks.late_labels [--runs N]

Unpaired; labels come after 1 day for control and 5 days for the variant on average, exponentially. Each experiment is
read daily for 60 days. Prints, beside each other, the shares that ever decide for a side and that are called unhealthy:
by the test of version 0.2, which expects errors and labels to fall as the weights, and as the gateway judges with
`maturity_days` and `min_days`. Ends with exit code 1 if more than α and two standard errors decide. Seeded.
"""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

from benchmarks.simulation import ALPHA, FOR_A_SIDE
from serving.gateway.experiments.outcomes import Design, PhaseCounts
from serving.gateway.experiments.report import build_report
from serving.gateway.experiments.sequential import log_e_shares
from serving.gateway.experiments.unpaired import CONCENTRATION, Errors
from serving.gateway.store.days import DAY_SECONDS
from testing.phase_counts import unpaired_phase
from testing.replays import most

RUNS, DAYS = 300, 60
MEAN_DAYS = (1.0, 5.0)
MATURITY_DAYS, MIN_DAYS = 25.0, 7.0
KINDS = [(0.05, 20), (0.05, 500), (0.3, 20), (0.3, 500), (1.0, 10)]  # share of errors among labels, units a day
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Shares(NamedTuple):
    """The shares of experiments that decide for a side, and that are called unhealthy at some look."""

    decided: float
    unhealthy: float


def main() -> int:
    """Check; return the exit code."""
    parser = argparse.ArgumentParser(description="Judge equal arms, one of which gets its labels late.")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help="experiments a kind (default: %(default)s)")
    return 0 if check(parser.parse_args().runs) else 1


def check(runs: int = RUNS) -> bool:
    """Print a row for each kind; say if all pass."""
    bound, good = most(runs, ALPHA), True
    print(f"labels after {MEAN_DAYS[0]:g} and {MEAN_DAYS[1]:g} days, {runs} experiments: decide for a side, unhealthy "
          f"(at most {bound:.1%} decide)", flush=True)  # fmt: skip
    for errors, a_day in KINDS:
        before, now = shares(errors, a_day, runs, before=True), shares(errors, a_day, runs, before=False)
        good &= now.decided <= bound
        print(f"{errors:.0%} errors, {a_day} units a day: {before.decided:.1%}, {before.unhealthy:.1%} by weights "
              f"alone; {now.decided:.1%}, {now.unhealthy:.1%} now", flush=True)  # fmt: skip
    return good


def shares(errors: float, a_day: int, runs: int, *, before: bool) -> Shares:
    """Return how experiments of equal arms end; `before` judges as version 0.2 did."""
    rng = np.random.default_rng(1)
    with patch.object(Errors, "log_e", by_weight if before else Errors.log_e):
        found = [list(said(errors, a_day, rng, before=before)) for _ in range(runs)]
    decided = sum(any(each in FOR_A_SIDE for each in looks) for looks in found)
    return Shares(decided / runs, sum("unhealthy" in looks for looks in found) / runs)


def said(errors: float, a_day: int, rng: np.random.Generator, *, before: bool) -> Iterator[str]:
    """Give the recommendations of one experiment, day by day."""
    late = {} if before else {"min_days": MIN_DAYS, "maturity_days": MATURITY_DAYS}
    design = Design("late", ("control", "variant"), 0, False, ALPHA, 1e-9, 10**9, **late)  # type: ignore[arg-type]
    for day, phase in enumerate(counted(errors, a_day, rng, mature=not before), 1):
        began = NOW.timestamp() - day * DAY_SECONDS
        yield build_report(design, [phase], [None, None], "running", NOW, 1, began)["decision"]["recommendation"]


def counted(errors: float, a_day: int, rng: np.random.Generator, *, mature: bool) -> Iterator[PhaseCounts]:
    """Give the counts of one experiment at the end of each day."""
    units = rng.binomial(a_day, 0.5, DAYS)
    arms: list[Any] = []
    for arm, sizes in enumerate((a_day - units, units)):
        exposed = np.repeat(np.arange(DAYS), sizes) + rng.random(sizes.sum())
        told = exposed + rng.exponential(MEAN_DAYS[arm], len(exposed))
        arms.append((exposed, told, rng.random(len(exposed)) < errors))
    for day in range(1, DAYS + 1):
        labelled = [int((told <= day).sum()) for _, told, _ in arms]
        wrong = [int((wrong & (told <= day)).sum()) for _, told, wrong in arms]
        aged = [int(((told <= day) & (np.floor(exposed) < day - MATURITY_DAYS)).sum()) for exposed, told, _ in arms]
        seen = tuple(int((exposed < day).sum()) for exposed, _, _ in arms)
        yield unpaired_phase(wrong, labelled, units=seen, mature=tuple(aged) if mature else None)


def by_weight(self: Errors, for_variant: int = 0, for_control: int = 0) -> float:
    """Return log E as version 0.2 did."""
    return log_e_shares((self.wrong[0] + for_variant, self.wrong[1] + for_control), (self.odds, 1), CONCENTRATION)


if __name__ == "__main__":
    sys.exit(main())
