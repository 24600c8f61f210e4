"""Simulate many experiments at once to their verdicts, by the rules that judge the real ones."""

import math
import time
from typing import NamedTuple

import numpy as np

from serving.gateway.errors import Unavailable
from serving.gateway.experiments.planning.looks import GROWTH, place_looks
from serving.gateway.experiments.planning.rates import Rates
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.experiments.planning.streams import Evidence, PairedStream, UnpairedStream
from serving.gateway.experiments.sequential import Array, half_width

VERDICTS = ("ship", "roll_back", "equivalent", "inconclusive", "continue")
SHIP, ROLL_BACK, EQUIVALENT, INCONCLUSIVE, CONTINUE = range(len(VERDICTS))
SECONDS = 5.0  # that a plan may take
BLOCK, MOST_CELLS = 32, 1_000_000  # looks at a time; counts of cases drawn then, which bound the memory


class Ends(NamedTuple):
    """By run: the verdict, an index of VERDICTS, and the images and labels until then."""

    verdicts: np.ndarray
    images: Array
    labels: Array


def simulate(spec: PlanSpec, rates: Rates, until: float, growth: float = GROWTH, seed: int = 1) -> Ends:
    """Run experiments to their verdicts; raise Unavailable when `until`, a time on the monotonic clock, has passed."""
    looks = place_looks(spec, rates, growth)
    stream = (PairedStream if spec.paired else UnpairedStream)(spec, rates, looks, np.random.default_rng(seed))
    left = np.arange(spec.runs)
    ends = Ends(np.full(spec.runs, INCONCLUSIVE), np.zeros(spec.runs), np.zeros(spec.runs))
    block = max(1, min(BLOCK, MOST_CELLS // (spec.runs * stream.width)))
    for start in range(0, len(looks.units), block):
        if time.monotonic() > until:
            raise Unavailable(f"The plan was not ready within {SECONDS:g} s. Ask for fewer runs, or once more.")
        evidence = stream.evidence(slice(start, start + block))
        said = verdicts(spec, evidence)
        done = said != CONTINUE
        over = done.any(axis=1)
        if over.any():
            run, at = np.flatnonzero(over), done.argmax(axis=1)[over]
            ends.verdicts[left[over]], ends.images[left[over]] = said[run, at], looks.images[start + at]
            ends.labels[left[over]] = np.minimum(evidence.labels[run, at], spec.max_labels)
            left = left[~over]
            stream.keep(~over)
            if not len(left):
                break
    return ends


def verdicts(spec: PlanSpec, evidence: Evidence) -> np.ndarray:
    """Return the verdicts that `comparison.Comparison` and `decision.decide` give to a single comparison."""
    tests = spec.arms - 1
    significant = evidence.log_e >= math.log(tests / spec.alpha)
    agree = evidence.lean * evidence.difference > 0
    reach = half_width(evidence.n * evidence.variance, evidence.n, spec.alpha / tests)
    inside = np.abs(evidence.difference) + reach < spec.margin
    return np.select(
        [
            significant & agree & (evidence.difference > 0),
            significant & agree,
            ~significant & evidence.enough & (evidence.variance > 0) & inside,
            evidence.labels >= spec.max_labels,
        ],
        [SHIP, ROLL_BACK, EQUIVALENT, INCONCLUSIVE],
        CONTINUE,
    )
