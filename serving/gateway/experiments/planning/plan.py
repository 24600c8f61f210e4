"""Sum up simulated experiments: images, labels and days to a decision, and the smallest difference that is found."""

import math
import time
from typing import Any

import numpy as np

from serving.gateway.errors import Unavailable
from serving.gateway.experiments.planning.rates import Rates, refuse
from serving.gateway.experiments.planning.simulation import BATCH, EQUIVALENT, SHIP, VERDICTS, Ends, simulate
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.experiments.sequential import Array

SECONDS = 2.0  # that a plan may take
ENOUGH_SECONDS = 1.0  # after which no further batch of experiments begins
SEARCH_SECONDS = 1.7  # after which no further difference is tried
POWER = 0.8
POWER_RUNS, POWER_GROWTH = 200, 1.06  # coarser: nine simulations
CLEAR = 0.1  # of power that BATCH runs miss or exceed POWER by: then these are enough
HALVINGS = 8  # of the range on a log scale: to about 3 %
RANGE = 1000
DEVIATIONS = 1.96  # on each side of an interval of 95 %


def plan(spec: PlanSpec, rates: Rates) -> dict[str, Any]:
    """Return the plan as JSON values, of fewer runs than asked for where those take too long; raise Unavailable."""
    began = time.monotonic()
    if spec.label_delay_days and not spec.images_per_day:
        refuse("images_per_day", "a delay of labels needs images_per_day, to tell how many come meanwhile")
    ends = simulate(spec, rates, began + ENOUGH_SECONDS)
    if time.monotonic() > began + SECONDS:
        raise Unavailable(f"The plan was not ready within {SECONDS:g} s: this machine is busy. Ask again.")
    smallest, missed = smallest_difference(spec, rates, began + SEARCH_SECONDS)
    images, labels = (_to_a_decision(ends, values) for values in (ends.images, ends.labels))
    return {
        "design": "paired" if spec.paired else "unpaired",
        "runs": len(ends.verdicts),
        "rates": {
            "control_error": rates.errors and rates.errors[0],
            "variant_error": rates.errors and rates.errors[1],
            "difference": rates.difference,
            "disagreement": rates.disagreement if spec.paired else None,
            "only_variant_right": rates.won if spec.paired else None,
            "only_control_right": rates.lost if spec.paired else None,
        },
        "images_per_unit": spec.images_per_unit or 1,
        "images_per_day": spec.images_per_day,
        "label_delay_days": spec.label_delay_days or 0.0,
        "verdicts": {name: float(np.mean(ends.verdicts == at)) for at, name in enumerate(VERDICTS[:-1])},
        "images": images,
        "labels": labels,
        "days": {name: _days(spec, value) for name, value in images.items()},
        "max_labels": spec.max_labels,
        "power": POWER,
        "smallest_difference": smallest,
        "missed_difference": missed,
    }


def smallest_difference(spec: PlanSpec, rates: Rates, until: float) -> tuple[float | None, float | None]:
    """Return the smallest tried difference that ships in POWER of the runs by the last label, and the largest that not.

    None where there is none. Tries no further one after `until`, a time on the monotonic clock.
    """
    high = rates.largest_difference
    if not high > 0:
        return None, None
    if not _has_power(spec, rates.moved(high)):
        return None, high
    low = high / RANGE
    for _ in range(HALVINGS):
        if time.monotonic() > until:
            break
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _has_power(spec, rates.moved(middle)) else (middle, high)
    return high, low


def _has_power(spec: PlanSpec, rates: Rates) -> bool:
    """Say whether POWER of the runs ship; near it, more runs tell."""
    fewer = spec.model_copy(update={"runs": BATCH})
    shipped: list[float] = []
    for seed in range(1, 1 + POWER_RUNS // BATCH):
        shipped.append(float(np.mean(simulate(fewer, rates, math.inf, POWER_GROWTH, seed).verdicts == SHIP)))
        if abs(shipped[0] - POWER) > CLEAR:
            break
    return sum(shipped) / len(shipped) >= POWER


def _to_a_decision(ends: Ends, values: Array) -> dict[str, float | None]:
    """Return the median with its 95 % interval, and the 80 % quantile; None where fewer runs decide."""
    decided = np.sort(values[ends.verdicts <= EQUIVALENT])
    runs = len(values)

    def ranked(rank: float) -> float | None:
        return float(decided[math.ceil(rank) - 1]) if rank <= len(decided) else None

    apart = DEVIATIONS * math.sqrt(runs) / 2
    return {
        "median": ranked(0.5 * runs),
        "median_low": ranked(0.5 * runs - apart),
        "median_high": ranked(0.5 * runs + apart),
        "p80": ranked(0.8 * runs),
    }


def _days(spec: PlanSpec, images: float | None) -> float | None:
    return None if images is None or not spec.images_per_day else images / spec.images_per_day
