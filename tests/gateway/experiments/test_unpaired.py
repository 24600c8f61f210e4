"""Unpaired evidence: worked figures, a replay of the outcomes, and simulations of what is promised."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.gateway.experiments.comparison import compare
from serving.gateway.experiments.sequential import log_e_shares
from serving.gateway.experiments.unpaired import CONCENTRATION, SEQUENCE_FROM
from testing.phase_counts import UNPAIRED, unpaired_phase
from testing.replays import first_crossings, most, replayed

unhurried = settings(deadline=None)  # the machine may be busy
cases = st.integers(0, 300)


def test_the_sequence_against_a_replay_of_the_outcomes() -> None:
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


@pytest.mark.parametrize(("errors", "shown"), [((200, 9), False), ((9, 200), False), ((10, 10), True)])
def test_the_sequence_waits_for_10_errors_in_each_arm(errors: tuple[int, int], shown: bool) -> None:
    assert (compare(UNPAIRED, [unpaired_phase(errors, [5000, 5000])], 1).sequence is not None) is shown


def test_where_all_labels_are_errors_nothing_is_equivalent() -> None:
    """Users who report wrong answers alone leave both accuracies at 0, without variance."""
    c = compare(UNPAIRED, [unpaired_phase([40, 40], [40, 40])], 1)
    assert (c.difference, c.sequence, c.verdict(0.9)) == (0, None, "undecided")


@unhurried
@given(st.lists(st.tuples(cases, cases), min_size=1, max_size=4))
@pytest.mark.slow
def test_phases_multiply_e(phases: list[tuple[int, int]]) -> None:
    parts = [unpaired_phase(errors, [400, 400]) for errors in phases]
    c = compare(UNPAIRED, parts, 1)
    assert c.log_e == pytest.approx(sum(compare(UNPAIRED, [part], 1).log_e for part in parts))
    assert (c.for_variant, c.for_control) == tuple(map(sum, zip(*phases, strict=True)))
    assert c.n == 800 * len(phases)


@unhurried
@given(cases, cases, cases, st.sampled_from([0.5, 0.2]))
@pytest.mark.slow
def test_swapping_the_arms_turns_the_sign_and_nothing_else(both: int, a: int, b: int, weight: float) -> None:
    phase = unpaired_phase([a, b], [a + both, b + both], weights=(weight, 1 - weight))
    one, other = compare(UNPAIRED, [phase], 1), compare(replace(UNPAIRED, control=1), [phase], 0)
    assert one.log_e == pytest.approx(other.log_e, abs=1e-9)
    assert one.difference == (None if other.difference is None else pytest.approx(-other.difference))
    assert one.sequence == (other.sequence and pytest.approx((-other.sequence[1], -other.sequence[0])))


def test_phases_are_compared_each_with_itself() -> None:
    """In the second phase images are harder and dropout gets most of them: pooled counts would call it worse."""
    phases = [
        unpaired_phase([80, 8], [9000, 1000], weights=(0.9, 0.1)),
        unpaired_phase([100, 810], [1000, 9000], weights=(0.1, 0.9)),
    ]
    assert compare(UNPAIRED, phases, 1).difference == pytest.approx((80 / 9000 - 8 / 1000 + 0.1 - 0.09) / 2)


def test_phases_are_pooled_by_precision_not_by_size() -> None:
    """A phase of 10,000 labels of which 100 are the variant's tells less than one of 500 and 500."""
    lopsided = unpaired_phase([99, 5], [9900, 100], weights=(0.99, 0.01))
    even = unpaired_phase([10, 10], [500, 500])
    c = compare(UNPAIRED, [lopsided, even], 1)
    weights = 9900 * 100 / 10_000, 500 * 500 / 1000
    assert c.difference == pytest.approx((weights[0] * (0.01 - 0.05) + weights[1] * 0) / sum(weights))


def test_errors_are_held_against_the_weights() -> None:
    weighted = compare(UNPAIRED, [unpaired_phase([20, 80], [2000, 8000], weights=(0.2, 0.8))], 1)
    assert weighted.log_e == log_e_shares((80, 20), (0.8, 0.2), CONCENTRATION) < 0
    assert compare(UNPAIRED, [unpaired_phase([20, 80], [2000, 8000])], 1).verdict(0.002) == "undecided"


def test_test_and_difference_must_point_the_same_way() -> None:
    """Labels are given to dropout ten times as often: more errors by its weight, and a lower error rate."""
    for design, arm in ((UNPAIRED, 1), (replace(UNPAIRED, control=1), 0)):
        c = compare(design, [unpaired_phase([60, 120], [6000, 60_000])], arm)
        assert (c.significant, c.verdict(0.9)) == (True, "undecided")


def test_labels_that_come_later_for_an_arm_are_no_evidence() -> None:
    """A third of the variant's labels are in, and a third of its errors."""
    late = unpaired_phase([90, 30], [3000, 1000], units=(3000, 3000))
    assert log_e_shares((90, 30), (1, 1), CONCENTRATION) > math.log(1000)
    assert compare(UNPAIRED, [late], 1).log_e < 0
    assert compare(UNPAIRED, [unpaired_phase([90, 0], [3000, 0], units=(3000, 3000))], 1).log_e <= 0


def test_an_arm_that_is_never_served_cannot_be_compared() -> None:
    c = compare(UNPAIRED, [unpaired_phase([10, 0], [1000, 0], weights=(1.0, 0.0))], 1)
    assert (c.possible, c.log_e, c.difference, c.verdict(1)) == (False, 0, None, "undecided")


def test_the_forecast_is_what_it_takes() -> None:
    c = compare(UNPAIRED, [unpaired_phase([40, 20], [1000, 1000])], 1)
    assert c.cases_to_go is not None
    for more, significant in ((c.cases_to_go, True), (c.cases_to_go - 1, False)):
        lost = round(more * 2 / 3)
        phase = unpaired_phase([40 + lost, 20 + more - lost], [3000, 3000])
        assert compare(UNPAIRED, [phase], 1).significant is significant


def test_the_forecast_is_for_the_weights_of_now() -> None:
    """Arms with the same error rates as ever, now of weights 0.9 and 0.1: of 19 errors, 1 is the variant's."""
    phases = [unpaired_phase([40, 20], [1000, 1000]), unpaired_phase([0, 0], [0, 0], weights=(0.9, 0.1))]
    c = compare(UNPAIRED, phases, 1)
    assert c.cases_to_go is not None
    for more, significant in ((c.cases_to_go, True), (c.cases_to_go - 1, False)):
        lost = round(more * 18 / 19)
        second = unpaired_phase([lost, more - lost], [9000, 1000], weights=(0.9, 0.1))
        assert compare(UNPAIRED, [phases[0], second], 1).significant is significant


@pytest.mark.slow
def test_of_equal_arms_at_most_alpha_are_ever_told_apart() -> None:
    """4,000 experiments of 300 errors, looked at after every one."""
    decided = first_crossings(np.random.default_rng(3).random((4000, 300)) < 0.2, 0.2, CONCENTRATION) > 0
    assert 0 < decided.mean() <= most(4000)


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.02, 0.1])
def test_the_sequence_of_a_small_arm_covers_the_difference_at_all_times(weight: float) -> None:
    """300 experiments of arms with 3 % and 2 % error, looked at every 2,000 labels from 10 errors in each arm on."""
    rng, missed = np.random.default_rng(11), 0
    small = rng.binomial(2000, weight, (300, 30))
    labelled = np.stack([2000 - small, small], axis=2)
    errors = rng.binomial(labelled, (0.03, 0.02)).cumsum(axis=1)
    for run, n in zip(errors.tolist(), labelled.cumsum(axis=1).tolist(), strict=True):
        looks = [look for look in zip(run, n, strict=True) if min(look[0]) >= SEQUENCE_FROM]
        phases = (unpaired_phase(*look, weights=(1 - weight, weight)) for look in looks)
        sequences = (compare(UNPAIRED, [phase], 1).sequence for phase in phases)
        missed += any(s and not s[0] <= 0.01 <= s[1] for s in sequences)
    assert missed / 300 <= most(300)


@pytest.mark.slow
def test_arms_that_differ_by_twice_the_margin_are_seldom_called_equivalent() -> None:
    """300 experiments of arms with 2.4 % and 2 % error, looked at every 2,000 labels until 40,000."""
    rng, called = np.random.default_rng(12), 0
    wrong = rng.binomial(1000, (0.024, 0.02), (300, 20, 2)).cumsum(axis=1)
    for run in wrong.tolist():
        phases = (unpaired_phase(errors, [1000 * look] * 2) for look, errors in enumerate(run, 1))
        called += any(compare(UNPAIRED, [phase], 1).verdict(0.002) == "equivalent" for phase in phases)
    assert called / 300 <= 0.05


def test_equal_arms_become_equivalent() -> None:
    c = compare(UNPAIRED, [unpaired_phase([3000, 3000], [300_000, 300_000])], 1)
    assert (c.difference, c.significant, c.verdict(0.002)) == (0, False, "equivalent")
