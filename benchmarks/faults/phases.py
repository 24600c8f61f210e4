"""Fault i: evidence, health and forecasts of several phases."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.faults.rows import Effort, Row, never, seldom
from serving.gateway.experiments.checks import UNHEALTHY_FROM, check_health
from serving.gateway.experiments.comparison import Comparison, compare
from serving.gateway.experiments.outcomes import PhaseCounts
from testing.phase_counts import PAIRED, UNPAIRED, mcnemar, unpaired_phase

LOOKS = 12  # a phase
LABELS = 1000  # a look
GAIN = 0.01
# Of each phase: the variant's weight, and the error rate of control; the later images are the harder ones.
HARDER = [(0.1, 0.03), (0.5, 0.06), (0.8, 0.15)]


def several_phases(effort: Effort) -> Iterator[Row]:
    """Change weights and images from phase to phase."""
    yield _split_up(effort.counts)
    yield from _pooled(effort.counts)
    yield _led_by_weights(effort.counts)
    yield from _paired(effort.counts)
    yield _healed(effort.counts)
    yield _forecast(effort.counts)


def _split_up(runs: int) -> Row:
    """Split 8,910 ties, 30 lost and 60 won images between three phases."""
    e = math.exp(compare(PAIRED, [mcnemar(2970, 10, 20)] * 3, 1).log_e)
    whole = math.exp(compare(PAIRED, [mcnemar(8910, 30, 60)], 1).log_e)
    assert round(whole, 1) == 31.3
    rng, shares, lost = np.random.default_rng(1), [1 / 3] * 3, int(not math.isclose(e, whole))
    for _ in range(runs - 1):
        parts = np.stack([rng.multinomial(n, shares) for n in (8910, 30, 60)], axis=1)
        log_e = compare(PAIRED, [mcnemar(*part) for part in parts.tolist()], 1).log_e
        lost += not math.isclose(math.exp(log_e), whole)
    return never("i", f"60:30 in three phases: E = {e:.1f}, and not that of one, {whole:.1f}", lost, runs)


def _pooled(runs: int) -> Iterator[Row]:
    """Unpaired: pool the difference of phases with other weights and other images."""
    rng, missed, called = np.random.default_rng(2), 0, 0
    for _ in range(runs):
        looks = list(_unpaired(rng, HARDER, GAIN))
        missed += any(c.sequence and not c.sequence[0] <= GAIN <= c.sequence[1] for c in looks)
    yield seldom("i", "unpaired, weights and images change: the interval misses at some look", missed, runs)
    for _ in range(runs):
        looks = list(_unpaired(rng, HARDER, GAIN, labels=20 * LABELS))
        called += any(c.verdict(GAIN / 2) == "equivalent" for c in looks)
    yield seldom("i", "unpaired, the same, two margins apart: 'equivalent' at some look", called, runs)


def _unpaired(
    rng: np.random.Generator, phases: Sequence[tuple[float, float]], gain: float, labels: int = LABELS
) -> Iterator[Comparison]:
    """Compare the arms at each look of each phase."""
    done: list[PhaseCounts] = []
    for weight, rate in phases:
        small = rng.binomial(labels, weight, LOOKS)
        n = np.stack([labels - small, small], axis=1)
        wrong = rng.binomial(n, (rate, rate - gain)).cumsum(axis=0)
        for errors, labelled in zip(wrong.tolist(), n.cumsum(axis=0).tolist(), strict=True):
            phase = unpaired_phase(errors, labelled, weights=(1 - weight, weight))
            yield compare(UNPAIRED, [*done, phase], 1)
        done.append(phase)


def _led_by_weights(runs: int) -> Row:
    """Give more weight to the arm that leads, phase by phase."""
    rng, shown = np.random.default_rng(3), 0
    for _ in range(runs):
        done: list[PhaseCounts] = []
        weight, decides = 0.5, False
        for _ in range(8):
            small = int(rng.binomial(LABELS, weight))
            n = LABELS - small, small
            done.append(unpaired_phase(rng.binomial(n, 0.05).tolist(), n, weights=(1 - weight, weight)))
            found = compare(UNPAIRED, done, 1)
            decides |= found.verdict(1e-9) in ("better", "worse")
            weight = min(0.9, max(0.1, weight + (0.2 if found.lean > 0 else -0.2)))
        shown += decides
    return seldom("i", "unpaired, equal arms, the leader gets more weight: told apart", shown, runs)


def _paired(runs: int) -> Iterator[Row]:
    """Paired: sum the counts of three phases with other images; the difference is the same."""
    rng, missed, called = np.random.default_rng(4), 0, 0
    for labels, margin in ((LABELS, None), (20 * LABELS, GAIN / 2)):
        for _ in range(runs):
            looks = []
            done: list[PhaseCounts] = []
            for differing in (0.02, 0.05, 0.2):
                won = (differing + GAIN) / 2
                steps = rng.multinomial(labels, [1 - differing, differing - won, won], LOOKS).cumsum(axis=0)
                phases = [mcnemar(*step) for step in steps.tolist()]
                looks += [compare(PAIRED, [*done, phase], 1) for phase in phases]
                done.append(phases[-1])
            if margin is None:
                missed += any(c.sequence and not c.sequence[0] <= GAIN <= c.sequence[1] for c in looks)
            else:
                called += any(c.verdict(margin) == "equivalent" for c in looks)
    yield seldom("i", "paired, images change: the interval misses at some look", missed, runs)
    yield seldom("i", "paired, the same, two margins apart: 'equivalent' at some look", called, runs)


def _healed(runs: int) -> Row:
    """Balance the units after a phase with an unhealthy split, which leaves the evidence."""
    sick = mcnemar(0, 90, 0, units=(5000, 4000), labelled=(45, 45))
    assert check_health(PAIRED, [sick]).failed
    rng, shown = np.random.default_rng(5), 0
    for _ in range(runs):
        for look in (100, 10_000, 1_000_000):
            variant = int(rng.binomial(look, 0.5))
            phase = mcnemar(0, 0, 0, units=(look - variant, variant), labelled=(0, 0))
            health = check_health(PAIRED, [sick, phase])
            if health.failed or health.left_out != (1,):
                shown += 1
                break
    return seldom("i", "a balanced phase after an unhealthy one: still unhealthy", shown, runs, 1 / UNHEALTHY_FROM)


def _forecast(runs: int) -> Row:
    """Forecast from an even phase for weights 0.9 and 0.1, with errors 2 to 1; then go on at these rates.

    After the forecast number of errors E has reached its goal in about half of the runs.
    """
    first = unpaired_phase([40, 20], [1000, 1000])
    changed = {"weights": (0.9, 0.1)}
    more = compare(UNPAIRED, [first, unpaired_phase([0, 0], [0, 0], **changed)], 1).cases_to_go
    assert more is not None
    errors = np.random.default_rng(6).binomial(more, 18 / 19, runs).tolist()
    phases = (unpaired_phase([wrong, more - wrong], [9000, 1000], **changed) for wrong in errors)
    reached = sum(compare(UNPAIRED, [first, phase], 1).significant for phase in phases) / runs
    off, bound = abs(reached - 0.5), 0.1 + 1 / math.sqrt(runs)
    what = f"weights change, {more} more errors forecast: runs decided by then, off one half, {runs:,} runs"
    return Row("i", what, off, bound, off <= bound)
