"""Check plans beside experiments that the gateway's own functions judge, image by image.

    python -m benchmarks.plans [--runs N] [--settings 0-2]
    python -m benchmarks.plans --extreme

The simulated experiments draw each image and the delay of each label, count as the store does, and read the report
after each label. Prints a row for each setting. Ends with exit code 1 if a planned median number of labels is more than
15 % off the simulated one. Seeded. `--extreme` times plans of long experiments instead, which must be ready in 2 s.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from serving.gateway.experiments.outcomes import Design, PairCounts, PhaseCounts
from serving.gateway.experiments.planning.plan import SECONDS, plan
from serving.gateway.experiments.planning.rates import Rates, rates_of
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.experiments.report import build_report
from serving.gateway.experiments.spec import MOST_LABELS
from testing.phase_counts import paired_phase

RUNS, PLANNED_RUNS = 600, 1000
PER_DAY = 2000.0
MOST_OFF = 0.15
FARTHEST = 8  # times the planned median: then a run counts as undecided
FEWEST_CASES = 5  # with fewer, no verdict is possible at α = 0.05
DECISIONS = ("ship", "roll_back", "equivalent")
WON, LOST, NEITHER, AGREE = range(4)


class Setting(NamedTuple):
    """Error rates of control and variant, their disagreement, images a unit, mean days to a label, and the margin."""

    control: float
    variant: float
    disagreement: float
    size: int
    delay: float
    margin: float = 1e-4

    def spec(self, runs: int) -> PlanSpec:
        """Return the plan to ask for."""
        return PlanSpec.model_validate(
            {"control_error": self.control, "variant_error": self.variant, "disagreement": self.disagreement,
             "images_per_unit": self.size, "images_per_day": PER_DAY, "label_delay_days": self.delay,
             "margin": self.margin, "runs": runs}
        )  # fmt: skip


SETTINGS = (
    Setting(0.010, 0.007, 0.009, 1, 0),
    Setting(0.010, 0.007, 0.009, 4, 0),
    Setting(0.010, 0.007, 0.009, 1, 3),
    Setting(0.010, 0.007, 0.015, 1, 0),
    Setting(0.030, 0.020, 0.020, 10, 0),
    Setting(0.030, 0.020, 0.040, 1, 1),
    Setting(0.030, 0.020, 0.040, 10, 1),
    Setting(0.050, 0.020, 0.050, 40, 0),
    Setting(0.030, 0.030, 0.020, 4, 0.5, margin=0.01),
)
LONG: dict[str, Any] = {
    "control_error": 0.3, "variant_error": 0.3, "disagreement": 0.5, "margin": 1e-9, "max_labels": MOST_LABELS,
    "runs": PLANNED_RUNS,
}  # fmt: skip
EXTREMES: tuple[dict[str, Any], ...] = (
    *({"images_per_unit": size} for size in (1, 10, 100, 1000)),
    *({"images_per_unit": 1000, "label_share": share} for share in (1e-3, 1e-6)),
    {"images_per_unit": 1000, "label": "all"},
    {"images_per_unit": 1000, "neither_right": 0.1, "images_per_day": 1e10, "label_delay_days": 3650},
    *({"paired": False, "weight": weight} for weight in (0.5, 0.001)),
)


def main() -> int:
    """Check; return the exit code."""
    parser = argparse.ArgumentParser(description="Compare plans with simulated experiments.")
    parser.add_argument(
        "--runs", type=int, default=RUNS, metavar="N", help="experiments a setting (default: %(default)s)"
    )
    parser.add_argument("--settings", default=f"0-{len(SETTINGS) - 1}", metavar="I-J", help="which (default: all)")
    parser.add_argument("--extreme", action="store_true", help="time plans of long experiments")
    given = parser.parse_args()
    if given.extreme:
        return 0 if time_extremes() else 1
    first, last = map(int, given.settings.split("-"))
    return 0 if check(given.runs, SETTINGS[first : last + 1]) else 1


def time_extremes() -> bool:
    """Print the seconds of plans whose experiments are long; say if all are ready in time."""
    longest = 0.0
    for extreme in EXTREMES:
        spec = PlanSpec.model_validate({**LONG, **extreme})
        began = time.monotonic()
        runs = plan(spec, rates_of(spec))["runs"]
        longest = max(longest, seconds := time.monotonic() - began)
        print(f"{', '.join(f'{name} {value}' for name, value in extreme.items())}: {seconds:.2f} s, {runs} runs",
              flush=True)  # fmt: skip
    print(f"the slowest: {longest:.2f} s", flush=True)
    return longest < SECONDS


def check(runs: int = RUNS, settings: Sequence[Setting] = SETTINGS) -> bool:
    """Print a row for each setting; say if all plans are near."""
    print("errors, disagreement, images a unit, delay: median labels planned, simulated", flush=True)
    good = True
    for setting in settings:
        planned, seconds = timed(setting)
        simulated = median_labels(setting, runs, FARTHEST * planned["images"]["median"])
        off = planned["labels"]["median"] / simulated - 1
        good &= abs(off) <= MOST_OFF
        print(f"{setting.control:.1%} and {setting.variant:.1%}, {setting.disagreement:.1%}, {setting.size}, "
              f"{setting.delay:g} days: {planned['labels']['median']:,.0f}, {simulated:,.0f} ({off:+.0%}); "
              f"planned in {seconds:.1f} s", flush=True)  # fmt: skip
    return good


def timed(setting: Setting) -> tuple[dict[str, Any], float]:
    """Return the plan for a setting, and the seconds that it took."""
    began, spec = time.monotonic(), setting.spec(PLANNED_RUNS)
    return plan(spec, rates_of(spec)), time.monotonic() - began


def median_labels(setting: Setting, runs: int, images: float) -> float:
    """Return the median number of labels to a decision over so many experiments of at most so many images."""
    spec = setting.spec(PLANNED_RUNS)
    rates, rng = rates_of(spec), np.random.default_rng(1)
    return float(np.median([labels_to_a_decision(spec, rates, round(images), rng) for _ in range(runs)]))


def labels_to_a_decision(spec: PlanSpec, rates: Rates, images: int, rng: np.random.Generator) -> float:
    """Run one experiment; return its labels when its report first holds a decision, infinity without one."""
    design = Design("planned", ("control", "variant"), 0, True, spec.alpha, spec.margin, spec.max_labels)
    for labels, phase in counted(spec, rates, images, rng):
        found = build_report(design, [phase], [None, None], "running", datetime.now(UTC))
        if found["decision"]["recommendation"] in DECISIONS:
            return labels
    return float("inf")


def counted(spec: PlanSpec, rates: Rates, images: int, rng: np.random.Generator) -> Iterator[tuple[int, PhaseCounts]]:
    """Give the counts of one experiment after each labelled disagreement, as the store has them."""
    size, delay = spec.images_per_unit or 1, (spec.label_delay_days or 0) * (spec.images_per_day or 0)
    shares = rates.won, rates.lost, rates.neither
    kinds = rng.choice(4, images, p=[*shares, 1 - sum(shares)])
    at = np.flatnonzero(kinds != AGREE)
    times = at + 1 + (rng.exponential(delay, len(at)) if delay else 0)
    units: dict[int, Counter[int]] = {}
    first, cases = Counter[int](), Counter[int]()
    for labels, each in enumerate(np.argsort(times), 1):
        sent = int(times[each])
        if sent > images:
            return
        kind, unit = int(kinds[at[each]]), int(at[each]) // size
        if kind != NEITHER:
            if unit not in units:
                first[kind] += 1
            units.setdefault(unit, Counter())[kind] += 1
            cases[kind] += 1
        if cases.total() >= FEWEST_CASES:
            nets = [of[WON] - of[LOST] for of in units.values()]
            begun = -(-sent // size)
            pair = PairCounts(
                units=begun, images=sent, disagreements=int(np.searchsorted(at, sent)), labelled_disagreements=labels,
                won=cases[WON], lost=cases[LOST], trusted_won=cases[WON], trusted_lost=cases[LOST],
                first_won=first[WON], first_lost=first[LOST],
                net=Counter(int(np.sign(net)) for net in nets), squares=sum(net * net for net in nets),
                products=size * sum(nets), sizes=size * sent,
            )  # fmt: skip
            yield labels, paired_phase(
                {}, pairs=(PairCounts(), pair), labels=labels, compared=sent, disagreements=pair.disagreements,
                labelled_disagreements=labels, trusted_disagreements=labels,
            )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
