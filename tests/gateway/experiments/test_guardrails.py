"""The guardrails: like with like, and α shared."""

import math
from dataclasses import replace

import numpy as np
import pytest

from serving.gateway.experiments.guardrails import GuardrailState, watch_guardrails
from serving.gateway.experiments.outcomes import Design, PhaseCounts
from serving.gateway.experiments.sequential import log_e_above
from testing.phase_counts import PAIRED, RAILS, THREE, UNPAIRED, cases, mcnemar, paired_phase
from testing.replays import most

ONE = replace(PAIRED, guardrails=RAILS[:1])
ONE_UNPAIRED = replace(UNPAIRED, guardrails=RAILS[:1])


def state(design: Design, *phases: PhaseCounts) -> GuardrailState:
    """Return the only state of a design with one guardrail and one variant."""
    (found,) = watch_guardrails(design, phases)
    return found


@pytest.mark.parametrize("design", [PAIRED, UNPAIRED])
@pytest.mark.parametrize(
    ("control", "variant", "broken"),
    [(100, 140, False), (100, 160, False), (100, 260, True), (0, 4, False), (0, 14, True), (300, 0, False)],
)
def test_a_guardrail_breaks_beyond_its_margin(design: Design, control: int, variant: int, broken: bool) -> None:
    failing = mcnemar(9000, 0, 0, failed=cases((control, variant)))
    assert [state.broken for state in watch_guardrails(design, [failing])] == [broken, False]
    slow = mcnemar(9000, 0, 0, slow=cases((control, variant)))
    assert [state.broken for state in watch_guardrails(design, [slow])] == [False, broken]


def test_cases_are_expected_by_exposure() -> None:
    """Weights 0.8 and 0.2: served cases 4 to 1, shadow cases 1 to 4."""
    served = mcnemar(0, 0, 0, weights=(0.8, 0.2), failed=cases((100, 100)))
    found = state(ONE_UNPAIRED, served)
    assert found.log_e == pytest.approx(log_e_above(100, 100, 1.5 * 0.2 / 0.8))
    assert (found.broken, found.for_variant, found.for_control, found.comparable) == (True, 100, 100, True)
    alike = mcnemar(0, 0, 0, weights=(0.8, 0.2), failed=cases((400, 100), (100, 400)))
    assert not state(ONE, alike).broken
    e = math.exp(log_e_above(100, 400, 1.5 / 4)), math.exp(log_e_above(400, 100, 1.5 * 4))
    assert math.exp(state(ONE, alike).log_e) == pytest.approx(sum(e) / 2)


def test_cases_are_expected_by_calls_where_calls_differ_less_than_units() -> None:
    """Weights 0.9 and 0.1: units 9 to 1, calls 3 to 1; in the shadow 1 to 9, and 1 to 3."""
    calls = cases((3000, 1000), (1000, 3000))
    phase = mcnemar(0, 0, 0, weights=(0.9, 0.1), failed=cases((60, 20), (20, 60)), calls=calls)
    served, shadow = log_e_above(20, 60, 1.5 / 3), log_e_above(60, 20, 1.5 * 9)
    assert state(ONE_UNPAIRED, phase).log_e == pytest.approx(served)
    assert math.exp(state(ONE, phase).log_e) == pytest.approx((math.exp(served) + math.exp(shadow)) / 2)


@pytest.mark.parametrize("calls", [(0, 0), (0, 1000), (3000, 0), (300, 1)])
def test_cases_are_expected_by_units_where_an_arm_has_no_calls_or_few(calls: tuple[int, int]) -> None:
    phase = mcnemar(0, 0, 0, weights=(0.9, 0.1), failed=cases((60, 20)), calls=cases(calls))
    assert state(ONE_UNPAIRED, phase).log_e == pytest.approx(log_e_above(20, 60, 1.5 / 9))


def test_a_stratum_is_judged_by_itself() -> None:
    """The variant fails in the shadow, four times as often as it may; control's served failures do not excuse it."""
    phase = mcnemar(0, 0, 0, failed=cases((500, 500), (20, 120)))
    assert state(ONE, phase).broken
    assert not state(ONE_UNPAIRED, phase).broken  # it has no shadow


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0)])
def test_without_a_common_stratum_nothing_can_be_compared(weights: tuple[float, float]) -> None:
    phase = mcnemar(9, 0, 0, weights=weights, failed=cases((0, 0), (0, 500)))
    found = state(ONE, phase)
    assert (found.comparable, found.broken, found.log_e, found.for_variant) == (False, False, 0, 0)
    later = mcnemar(9, 0, 0, failed=cases((0, 500)))
    assert (state(ONE, phase, later).comparable, state(ONE, phase, later).broken) == (True, True)
    assert not state(ONE_UNPAIRED, phase).comparable


def test_one_stratum_alone_is_not_halved() -> None:
    """Of three arms, two share the shadow of the third, which serves everybody."""
    design = replace(THREE, guardrails=RAILS[:1], control=1)
    phase = paired_phase({}, arms=3, weights=(1.0, 0.0, 0.0), failed=cases((0, 0, 0), (0, 30, 60)))
    assert [s.comparable for s in watch_guardrails(design, [phase])] == [False, True]
    assert watch_guardrails(design, [phase])[1].log_e == log_e_above(60, 30, 1.5)


def test_phases_multiply_within_a_stratum() -> None:
    phases = [mcnemar(0, 0, 0, failed=cases((10, 25), (9, 4))), mcnemar(0, 0, 0, failed=cases((8, 20), (7, 9)))]
    strata = log_e_above(25, 10, 1.5) + log_e_above(20, 8, 1.5), log_e_above(4, 9, 1.5) + log_e_above(9, 7, 1.5)
    assert math.exp(state(ONE, *phases).log_e) == pytest.approx(sum(map(math.exp, strata)) / 2)


def test_every_variant_has_every_guardrail_and_they_share_alpha() -> None:
    design = replace(THREE, guardrails=RAILS, control=1)
    states = watch_guardrails(design, [paired_phase({}, arms=3, failed=cases((0, 0, 90)))])
    assert [(state.guardrail.metric, state.arm, state.broken) for state in states] == [
        ("error_rate", 0, False), ("error_rate", 2, True), ("slow", 0, False), ("slow", 2, False),
    ]  # fmt: skip
    assert {state.threshold for state in states} == {80}


def test_without_a_phase_nothing_is_broken() -> None:
    assert not any(state.broken for state in watch_guardrails(PAIRED, []))


def broken_share(rate: float, runs: int = 300) -> float:
    """Return the share of experiments whose guardrail breaks at some of 25 looks, with weights 0.9 and 0.1.

    A look has 100 calls to control and 33 to the variant, which travels in smaller calls. Of control's calls 2 % fail,
    of the variant's `rate` times as many.
    """
    calls = np.array([100, 33])
    steps = np.random.default_rng(8).binomial(calls, [0.02, 0.02 * rate], size=(runs, 25, 2)).cumsum(axis=1)
    broken = 0
    for run in steps.tolist():
        phases = (
            mcnemar(0, 0, 0, weights=(0.9, 0.1), failed=cases(failed), calls=cases((look * calls).tolist()))
            for look, failed in enumerate(run, 1)
        )
        broken += any(state(ONE_UNPAIRED, phase).broken for phase in phases)
    return broken / runs


@pytest.mark.slow
def test_faults_of_calls_break_a_light_variants_guardrail_where_it_is_worse() -> None:
    assert broken_share(1.0) <= most(300)
    assert broken_share(1.5) <= most(300)
    assert broken_share(6.0) >= 0.95


@pytest.mark.slow
def test_ten_guardrails_at_their_margin_break_in_at_most_alpha_of_experiments() -> None:
    """200 experiments of 5 variants and 2 guardrails; each look adds 20 cases of control and 30 of each variant."""
    design = Design("six", tuple("abcdef"), 0, False, 0.05, 0.002, 9, RAILS)
    steps = np.random.default_rng(6).poisson([20] + [30] * 5, size=(200, 25, 2, 6)).cumsum(axis=1)
    broken = 0
    for run in steps.tolist():
        phases = (paired_phase({}, arms=6, failed=cases(failed), slow=cases(slow)) for failed, slow in run)
        broken += any(s.broken for phase in phases for s in watch_guardrails(design, [phase]))
    assert broken / 200 <= most(200)


@pytest.mark.slow
def test_a_variant_at_its_margin_breaks_the_guardrail_in_at_most_alpha_of_experiments() -> None:
    """300 experiments of 600 failures each, served and in the shadow, looked at after every twentieth."""
    steps = np.random.default_rng(6).binomial(10, 0.6, size=(300, 30, 2)).cumsum(axis=1)
    broken = 0
    for run in steps.tolist():
        counts = [([10 * i - s, s], [10 * i - b, b]) for i, (s, b) in enumerate(run, 1)]
        broken += any(state(ONE, mcnemar(0, 0, 0, failed=cases(*strata))).broken for strata in counts)
    assert broken / 300 <= most(300)
