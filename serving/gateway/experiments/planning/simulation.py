"""Simulate many experiments at once to their verdicts, by the rules that judge the real ones."""

from __future__ import annotations  # so numpy.random, 6 MB of a worker, is loaded for a plan alone

import math
import time
from typing import NamedTuple

import numpy as np

from serving.gateway.experiments.planning.looks import GROWTH, Looks, place_looks
from serving.gateway.experiments.planning.rates import Rates
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.experiments.planning.streams import Evidence, PairedStream, UnpairedStream
from serving.gateway.experiments.sequential import Array, half_width

VERDICTS = ("ship", "roll_back", "equivalent", "inconclusive", "continue")
SHIP, ROLL_BACK, EQUIVALENT, INCONCLUSIVE, CONTINUE = range(len(VERDICTS))
BATCH = 100  # runs at a time, which bound the memory
BLOCK = 32  # looks at a time


class Ends(NamedTuple):
    """By run: the verdict, an index of VERDICTS, and the images and labels until then."""

    verdicts: np.ndarray
    images: Array
    labels: Array


def simulate(spec: PlanSpec, rates: Rates, until: float, growth: float = GROWTH, seed: int = 1) -> Ends:
    """Run experiments to their verdicts: one batch, and further ones until all are run.

    Begins no further batch after `until`, a time on the monotonic clock.
    """
    looks, rng = place_looks(spec, rates, growth), np.random.default_rng(seed)
    batches: list[Ends] = []
    for begun in range(0, spec.runs, BATCH):
        if batches and time.monotonic() > until:
            break
        batch = spec.model_copy(update={"runs": min(BATCH, spec.runs - begun)})
        batches.append(_simulate_batch(batch, rates, looks, rng))
    return Ends(*map(np.concatenate, zip(*batches, strict=True)))


def _simulate_batch(spec: PlanSpec, rates: Rates, looks: Looks, rng: np.random.Generator) -> Ends:
    stream = (PairedStream if spec.paired else UnpairedStream)(spec, rates, looks, rng)
    left = np.arange(spec.runs)
    ends = Ends(np.full(spec.runs, INCONCLUSIVE), np.zeros(spec.runs), np.zeros(spec.runs))
    for start in range(0, len(looks.units), BLOCK):
        evidence = stream.evidence(slice(start, start + BLOCK))
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
