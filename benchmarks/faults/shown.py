"""Fault j: figures that a report shows, and verdicts of experiments that are paused or stopped."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks.faults.rows import Effort, Row, never, seldom
from benchmarks.simulation import ALPHA
from serving.gateway.experiments.comparison import compare
from serving.gateway.experiments.outcomes import Design, PhaseCounts
from serving.gateway.experiments.report import build_report
from testing.phase_counts import PAIRED, THREE, UNPAIRED, paired_phase, queue, unpaired_phase
from testing.trials import Trial, spec, temporary_store

ACCURACY = 0.97
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIX = replace(THREE, arms=tuple("abcdef"))
ARMS, LOOKS, IMAGES = 6, 30, 800  # images a look


def figures(effort: Effort) -> Iterator[Row]:
    """Look at each figure all the time."""
    yield _p_values(effort.counts, paired=True)
    yield _p_values(effort.counts, paired=False)
    yield from _accuracies(effort.counts)
    yield _biased(effort.counts)
    yield _latched(effort.store)


def _p_values(runs: int, *, paired: bool) -> Row:
    """Compare five variants with an equal control."""
    rng, shown = np.random.default_rng(1), 0
    design = replace(SIX, paired=paired)
    for _ in range(runs):
        shown += any(
            compare(design, [phase], arm).p_anytime <= ALPHA
            for phase in _of_equal_arms(rng, paired)
            for arm in range(1, ARMS)
        )
    what = "paired" if paired else "unpaired"
    return seldom("j", f"{what}, five variants equal control: some p shown is ≤ α", shown, runs)


def _of_equal_arms(rng: np.random.Generator, paired: bool) -> Iterator[PhaseCounts]:
    """Give the counts at each look; paired, arms err independently."""
    wrong = rng.random((LOOKS, IMAGES, ARMS)) < 1 - ACCURACY
    if not paired:
        for number, errors in enumerate(wrong.sum(axis=1).cumsum(axis=0).tolist(), 1):
            yield unpaired_phase(errors, [number * IMAGES] * ARMS)
        return
    masks = (~wrong * 2 ** np.arange(ARMS)).sum(axis=2)
    counts = np.stack([np.bincount(look, minlength=2**ARMS) for look in masks]).cumsum(axis=0)
    for look in counts.tolist():
        yield paired_phase({mask: n for mask, n in enumerate(look) if n}, arms=ARMS)


def _accuracies(runs: int) -> Iterator[Row]:
    """Look at the interval of each arm's accuracy after 5 images, then at ever larger steps until 20,000."""
    at = np.unique(np.geomspace(5, 20_000, 40).astype(int))
    steps = np.diff(at, prepend=0)
    rng = np.random.default_rng(2)
    missed = {design.paired: np.zeros(2, int) for design in (PAIRED, UNPAIRED)}
    for _ in range(runs):
        right = rng.binomial(steps[:, np.newaxis], (ACCURACY, ACCURACY), (len(at), 2)).cumsum(axis=0)
        for design in (PAIRED, UNPAIRED):
            looks = [_shown(design, n, each) for n, each in zip(at.tolist(), right.tolist(), strict=True)]
            for arm in (0, 1):
                missed[design.paired][arm] += any(
                    not look[arm]["ci"][0] <= ACCURACY <= look[arm]["ci"][1] for look in looks
                )
    for paired, of_arms in missed.items():
        what = "paired" if paired else "unpaired"
        yield seldom("j", f"{what}: an arm's accuracy leaves its interval at some look", int(of_arms.max()), runs)


def _shown(design: Design, n: int, right: list[int]) -> list[dict[str, Any]]:
    """Return the arms as the report of `n` labelled units an arm shows them."""
    if design.paired:  # of the two arms, the better one has all right that the other has
        low, high = min(right), max(right)
        better = 1 << right.index(high)
        phase = paired_phase({0b11: low, better: high - low, 0: n - high}, labelled=(n // 2, n // 2))
    else:
        phase = unpaired_phase([n - each for each in right], [n, n])
    return build_report(design, [phase], [None, None], "running", NOW)["arms"]


def _biased(runs: int) -> Row:
    """Label the queue alone: its images are the hard ones."""
    rng, shown = np.random.default_rng(3), 0
    for _ in range(runs):
        labelled = int(rng.integers(1, 200))
        won = int(rng.binomial(labelled, 0.5))
        phase = queue(20_000, won, labelled - won, unlabelled=int(rng.integers(0, 200)))
        found = build_report(PAIRED, [phase], [None, None], "running", NOW)
        silent = not found["notes"] or "left out" not in found["notes"][0]
        shown += silent or any(arm["accuracy"] is not None or arm["ci"] is not None for arm in found["arms"])
    return never("j", "labels of disagreements alone: an accuracy, or no note on it", shown, runs)


def _latched(runs: int) -> Row:
    """Pause or stop an experiment before its labels come."""
    lost, steps = 0, ("pause", "stop")
    with temporary_store() as store:
        for number in range(runs):
            trial = Trial(store, spec(0.5, 0.5, paired=True))
            ids = trial.send([number % 2 for number in range(60)], [("2", "1")] * 50 + [("1", "2")] * 10)
            trial.step(steps[number % 2])
            trial.label(dict.fromkeys(ids, "1"))
            lost += trial.judge() != "ship" or trial.judge() != "ship"
    return never("j", "paused or stopped before labels come: the verdict is not kept", lost, runs)
