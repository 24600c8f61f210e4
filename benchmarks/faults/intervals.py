"""Fault f: the interval of a small arm, and what it calls equivalent."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.faults.rows import Effort, Row, seldom
from serving.gateway.experiments.comparison import Comparison, compare
from testing.phase_counts import UNPAIRED, unpaired_phase

LOOKS = 60
OF_SMALL_ARM = 25, 1000  # its labels between two looks: for intervals, and for "equivalent"
SMALL = (0.02, 0.1)
ERRORS, GAIN = (0.03, 0.02), 0.01


def small_arms(effort: Effort) -> Iterator[Row]:
    """Unpaired, a variant of weight 0.02 or 0.1, looked at from the first labels on."""
    for weight in SMALL:
        rng = np.random.default_rng(11)
        runs = [list(_looks(rng, weight, round(OF_SMALL_ARM[0] / weight))) for _ in range(effort.counts)]
        missed = sum(any(c.sequence and not c.sequence[0] <= GAIN <= c.sequence[1] for c in run) for run in runs)
        assert any(c.sequence for run in runs for c in run)
        yield seldom("f", f"an arm of weight {weight}: its interval misses at some look", missed, effort.counts)
    for weight in SMALL:
        rng, margin = np.random.default_rng(12), GAIN / 2
        runs = [list(_looks(rng, weight, round(OF_SMALL_ARM[1] / weight))) for _ in range(effort.counts)]
        called = sum(any(c.verdict(margin) == "equivalent" for c in run) for run in runs)
        yield seldom(
            "f", f"an arm of weight {weight}, two margins better: 'equivalent' at some look", called, effort.counts
        )


def _looks(rng: np.random.Generator, weight: float, labels: int) -> Iterator[Comparison]:
    """Compare the arms after every `labels` labels."""
    small = rng.binomial(labels, weight, LOOKS)
    labelled = np.stack([labels - small, small], axis=1)
    errors = rng.binomial(labelled, ERRORS)
    design = replace(UNPAIRED, guardrails=())
    for wrong, n in zip(errors.cumsum(axis=0).tolist(), labelled.cumsum(axis=0).tolist(), strict=True):
        yield compare(design, [unpaired_phase(wrong, n, weights=(1 - weight, weight))], 1)
