"""One variant against control: worked figures, replays image by image, and simulations of what is promised."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.gateway.experiments.comparison import PAIRED_CONCENTRATION, UNPAIRED_CONCENTRATION, compare
from serving.gateway.experiments.sequential import TUNED_FOR, log_e_shares
from tests.gateway.experiments.counts import PAIRED, THREE, UNPAIRED, mcnemar, paired_phase, unpaired_phase

unhurried = settings(deadline=None)  # the machine may be busy
cases = st.integers(0, 300)


def test_the_worked_example() -> None:
    c = compare(PAIRED, [mcnemar(8910, 30, 60)], 1)
    assert (round(math.exp(c.log_e), 1), c.significant, c.verdict(0.002)) == (31.3, True, "better")
    assert c.difference == pytest.approx(0.0033, abs=5e-5)
    assert c.sequence == pytest.approx((0.00013, 0.0065), rel=0.04)


def replayed(differences: np.ndarray, alpha: float) -> np.ndarray:
    """Return the confidence sequence after each of `differences`, [n, 2], by equation 9 of arXiv 2103.06476."""
    t = np.arange(1, len(differences) + 1)
    mean = differences.cumsum() / t
    sigma = np.sqrt((differences**2).cumsum() / t - mean**2)
    rho = np.sqrt((-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / TUNED_FOR)
    reach = sigma * np.sqrt(2 * (t * rho**2 + 1) / (t**2 * rho**2) * np.log(np.sqrt(t * rho**2 + 1) / alpha))
    return np.stack([mean - reach, mean + reach], axis=1)


def test_paired_sequence_against_a_replay_of_the_images() -> None:
    images = np.random.default_rng(1).permutation(np.repeat([0b11, 0b01, 0b10, 0b00], [8900, 40, 50, 10]))
    replay = replayed((images >> 1 & 1) - (images & 1), 0.05)
    for n in (3600, 5000, 9000):
        masks, counts = np.unique(images[:n], return_counts=True)
        phase = paired_phase(dict(zip(masks.tolist(), counts.tolist(), strict=True)))
        assert compare(PAIRED, [phase], 1).sequence == pytest.approx(replay[n - 1])


def test_unpaired_sequence_against_a_replay_of_the_outcomes() -> None:
    """Each outcome enters by its influence on the difference of the two rates, weighted by who was served."""
    rng = np.random.default_rng(2)
    arm = rng.permutation(np.repeat([0, 1], [6000, 4000]))
    wrong = rng.random(10_000) < np.where(arm, 0.02, 0.03)
    errors, labelled = np.bincount(arm, wrong).astype(int), np.bincount(arm)
    rates = errors / labelled
    served = labelled / labelled.sum()
    influence = (wrong - rates[arm]) / served[arm] * np.where(arm, -1, 1) + rates[0] - rates[1]
    phase = unpaired_phase(errors.tolist(), labelled.tolist(), weights=(0.6, 0.4))
    assert compare(UNPAIRED, [phase], 1).sequence == pytest.approx(replayed(influence, 0.05)[-1])


def test_the_sequence_waits_for_30_cases() -> None:
    assert compare(PAIRED, [mcnemar(5000, 14, 15)], 1).sequence is None
    assert compare(PAIRED, [mcnemar(5000, 15, 15)], 1).sequence is not None


@unhurried
@given(st.lists(st.tuples(cases, cases, cases), min_size=1, max_size=4))
def test_phases_multiply_e_and_pool_the_difference(phases: list[tuple[int, int, int]]) -> None:
    parts = [mcnemar(*phase) for phase in phases]
    c = compare(PAIRED, parts, 1)
    assert c.log_e == pytest.approx(sum(compare(PAIRED, [part], 1).log_e for part in parts))
    pooled = compare(PAIRED, [mcnemar(*map(sum, zip(*phases, strict=True)))], 1)
    assert (c.for_variant, c.for_control, c.n) == (pooled.for_variant, pooled.for_control, pooled.n)
    assert c.difference == pytest.approx(pooled.difference)


@unhurried
@given(cases, cases, cases, st.sampled_from([0.5, 0.2]))
def test_swapping_the_arms_turns_the_sign_and_nothing_else(both: int, a: int, b: int, weight: float) -> None:
    for design, phase in (
        (PAIRED, mcnemar(both, a, b)),
        (UNPAIRED, unpaired_phase([a, b], [a + both, b + both], weights=(weight, 1 - weight))),
    ):
        one, other = compare(design, [phase], 1), compare(replace(design, control=1), [phase], 0)
        assert one.log_e == pytest.approx(other.log_e, abs=1e-9)
        assert one.difference == (None if other.difference is None else pytest.approx(-other.difference))
        assert one.sequence == (other.sequence and pytest.approx((-other.sequence[1], -other.sequence[0])))


def test_unpaired_phases_are_compared_each_with_itself() -> None:
    """In the second phase images are harder and dropout gets most of them: pooled counts would call it worse."""
    phases = [
        unpaired_phase([80, 8], [9000, 1000], weights=(0.9, 0.1)),
        unpaired_phase([100, 810], [1000, 9000], weights=(0.1, 0.9)),
    ]
    assert compare(UNPAIRED, phases, 1).difference == pytest.approx((80 / 9000 - 8 / 1000 + 0.1 - 0.09) / 2)


def test_unpaired_errors_are_held_against_the_weights() -> None:
    weighted = compare(UNPAIRED, [unpaired_phase([20, 80], [2000, 8000], weights=(0.2, 0.8))], 1)
    assert weighted.log_e == log_e_shares((80, 20), (0.8, 0.2), UNPAIRED_CONCENTRATION) < 0
    assert compare(UNPAIRED, [unpaired_phase([20, 80], [2000, 8000])], 1).verdict(0.002) == "undecided"


def test_test_and_difference_must_point_the_same_way() -> None:
    """Labels are given to dropout ten times as often: more errors by its weight, and a lower error rate."""
    for design, arm in ((UNPAIRED, 1), (replace(UNPAIRED, control=1), 0)):
        c = compare(design, [unpaired_phase([60, 120], [6000, 60_000])], arm)
        assert (c.significant, c.verdict(0.002)) == (True, "undecided")


def test_two_of_three_arms_by_their_bits_with_the_error_shared() -> None:
    phase = paired_phase({0b111: 900, 0b001: 5, 0b011: 7, 0b110: 20, 0b100: 3, 0b000: 2}, arms=3)
    c = compare(THREE, [phase], 2)
    assert (c.for_variant, c.for_control, c.n, c.threshold) == (20 + 3, 5 + 7, 937, 40)
    alone = paired_phase({0b11: 900, 0b01: 12, 0b10: 23, 0b00: 2})
    assert c.sequence == compare(replace(PAIRED, alpha=0.025), [alone], 1).sequence


def test_an_arm_that_is_never_served_cannot_be_compared_unpaired() -> None:
    c = compare(UNPAIRED, [unpaired_phase([10, 0], [1000, 0], weights=(1.0, 0.0))], 1)
    assert (c.possible, c.log_e, c.difference, c.verdict(1)) == (False, 0, None, "undecided")
    assert compare(PAIRED, [mcnemar(900, 30, 60, weights=(1.0, 0.0))], 1).verdict(0.002) == "better"


def test_labels_of_disagreements_alone_do_not_exaggerate_the_difference() -> None:
    everything = compare(PAIRED, [mcnemar(8890, 30, 60)], 1)
    queue = mcnemar(0, 30, 60, compared=8980, disagreements=90, labelled_disagreements=90)
    assert compare(PAIRED, [queue], 1) == everything
    half = mcnemar(0, 15, 30, compared=8980, disagreements=90, labelled_disagreements=45)
    assert compare(PAIRED, [half], 1).difference == everything.difference


def test_the_forecast_is_what_it_takes() -> None:
    c = compare(PAIRED, [mcnemar(1000, 10, 20)], 1)
    assert c.cases_to_go is not None
    more = c.cases_to_go
    assert compare(PAIRED, [mcnemar(1000, 10 + more - round(more * 2 / 3), 20 + round(more * 2 / 3))], 1).significant
    more -= 1
    assert not compare(
        PAIRED, [mcnemar(1000, 10 + more - round(more * 2 / 3), 20 + round(more * 2 / 3))], 1
    ).significant


@pytest.mark.parametrize(("phases", "expected"), [([], None), ([mcnemar(9, 0, 0)], None), ([mcnemar(9, 30, 30)], None)])
def test_there_is_no_forecast_without_a_lead(phases: list, expected: None) -> None:
    assert compare(PAIRED, phases, 1).cases_to_go is expected


def first_crossings(cases: np.ndarray, share: float, concentration: float) -> np.ndarray:
    """Return after how many of `cases` (True: for the variant), [runs, cases], E first reaches 20; 0 for never."""
    length = cases.shape[1]
    wins = cases.cumsum(axis=1)
    total = np.broadcast_to(np.arange(1, length + 1), wins.shape)
    table = np.array(
        [[log_e_shares((k, n - k), (share, 1 - share), concentration) if k <= n else 0 for k in range(length + 1)]
         for n in range(length + 1)]
    )  # fmt: skip
    crossed = table[total, wins] >= math.log(20)
    return np.where(crossed.any(axis=1), crossed.argmax(axis=1) + 1, 0)


@pytest.mark.parametrize(("share", "concentration"), [(0.5, PAIRED_CONCENTRATION), (0.2, UNPAIRED_CONCENTRATION)])
def test_of_equal_arms_at_most_alpha_are_ever_told_apart(share: float, concentration: float) -> None:
    """4,000 experiments of 300 cases, looked at after every one."""
    decided = first_crossings(np.random.default_rng(3).random((4000, 300)) < share, share, concentration) > 0
    assert 0 < decided.mean() <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 4000)


def test_a_third_fewer_errors_are_found_within_9000_images() -> None:
    """1.0 % against 0.7 % error of which 0.4 points are the same images: of 0.9 % discordant ones 2 in 3 favour one."""
    rng = np.random.default_rng(4)
    found = first_crossings(rng.random((2000, 300)) < 0.006 / 0.009, 0.5, PAIRED_CONCENTRATION)
    images = found + rng.negative_binomial(np.maximum(found, 1), 0.009)
    assert np.median(images[found > 0]) < 9000
    assert (found > 0).mean() > 0.95


def test_the_sequence_covers_the_difference_at_all_times() -> None:
    """1,000 experiments of 20,000 images, looked at every 1,000 from 30 discordant ones on."""
    rng = np.random.default_rng(5)
    steps = rng.multinomial(1000, [0.006, 0.003, 0.991], size=(1000, 20)).cumsum(axis=1)
    missed = 0
    for run in steps.tolist():
        sequences = [compare(PAIRED, [mcnemar(rest, lost, won)], 1).sequence for won, lost, rest in run]
        missed += any(s and not s[0] <= 0.003 <= s[1] for s in sequences)
    assert missed / 1000 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 1000)
