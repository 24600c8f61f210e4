"""Sum up simulated experiments: images, labels and days to a decision, and the smallest difference that is found."""

import math
import time
from typing import Any

import numpy as np

from serving.gateway.experiments.planning.rates import Rates, refuse
from serving.gateway.experiments.planning.simulation import EQUIVALENT, SECONDS, SHIP, VERDICTS, Ends, simulate
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.experiments.sequential import Array

POWER = 0.8
POWER_RUNS, POWER_GROWTH = 200, 1.06  # coarser: nine simulations
HALVINGS = 8  # of the range on a log scale: to about 3 %
RANGE = 1000


def plan(spec: PlanSpec, rates: Rates) -> dict[str, Any]:
    """Return the plan as JSON values; raise Unavailable where it takes more than SECONDS."""
    until = time.monotonic() + SECONDS
    if spec.label_delay_days and not spec.images_per_day:
        refuse("images_per_day", "a delay of labels needs images_per_day, to tell how many come meanwhile")
    ends = simulate(spec, rates, until)
    images, labels = (_to_a_decision(ends, values) for values in (ends.images, ends.labels))
    return {
        "design": "paired" if spec.paired else "unpaired",
        "runs": spec.runs,
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
        "smallest_difference": smallest_difference(spec, rates, until),
    }


def smallest_difference(spec: PlanSpec, rates: Rates, until: float) -> float | None:
    """Return the smallest difference that ships in POWER of the runs by the last label, None where none does."""
    fewer = spec.model_copy(update={"runs": min(spec.runs, POWER_RUNS)})

    def found(difference: float) -> bool:
        ends = simulate(fewer, rates.moved(difference), until, POWER_GROWTH)
        return bool(np.mean(ends.verdicts == SHIP) >= POWER)

    high = rates.largest_difference
    if not high > 0 or not found(high):
        return None
    low = high / RANGE
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def _to_a_decision(ends: Ends, values: Array) -> dict[str, float | None]:
    """Return the median and the 80 % quantile, None where fewer runs decide."""
    decided = np.sort(values[ends.verdicts <= EQUIVALENT])
    runs = len(values)

    def quantile(share: float) -> float | None:
        rank = math.ceil(share * runs)
        return float(decided[rank - 1]) if rank <= len(decided) else None

    return {"median": quantile(0.5), "p80": quantile(0.8)}


def _days(spec: PlanSpec, images: float | None) -> float | None:
    return None if images is None or not spec.images_per_day else images / spec.images_per_day
