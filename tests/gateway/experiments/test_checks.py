"""The split, the labels and the guardrails."""

import math
from dataclasses import replace

import numpy as np
import pytest

from serving.gateway.experiments.checks import check_labels, check_split, watch_guardrails
from tests.gateway.experiments.counts import PAIRED, THREE, UNPAIRED, mcnemar, paired_phase


@pytest.mark.parametrize(
    ("weights", "units", "ok"),
    [
        ((0.5, 0.5), (50_000, 50_200), True),
        ((0.5, 0.5), (50_000, 52_000), False),
        ((0.9, 0.1), (90_100, 9_900), True),
        ((1.0, 0.0), (1000, 0), True),
        ((1.0, 0.0), (1000, 1), False),
        ((0.5, 0.5), (0, 0), True),
    ],
)
def test_units_and_labels_fall_as_the_weights_say(weights: tuple[float, ...], units: tuple[int, ...], ok: bool) -> None:
    phase = mcnemar(0, 0, 0, weights=weights, units=units, labelled_units=units)
    assert check_split([phase]).ok is check_labels([phase]).ok is ok
    assert check_split([replace(phase, labelled_units=(0, 9))]).ok is ok


def test_phases_of_other_weights_are_each_held_against_their_own() -> None:
    phases = [mcnemar(0, 0, 0, weights=w, units=n) for w, n in (((0.5, 0.5), (1000, 1000)), ((0.9, 0.1), (9000, 1000)))]
    check = check_split(phases)
    assert (check.seen, check.ok) == ((10_000, 2_000), True)
    assert check.expected == pytest.approx((10_000, 2_000))
    assert check.log_e == pytest.approx(sum(check_split([phase]).log_e for phase in phases))


def test_without_a_phase_nothing_is_wrong() -> None:
    assert check_split([]).ok
    assert not any(state.broken for state in watch_guardrails(PAIRED, []))


@pytest.mark.parametrize(
    ("control", "variant", "broken"),
    [(100, 140, False), (100, 160, False), (100, 260, True), (0, 4, False), (0, 12, True), (300, 0, False)],
)
def test_a_guardrail_breaks_beyond_its_margin(control: int, variant: int, broken: bool) -> None:
    failing = mcnemar(9000, 0, 0, failures=(control, variant))
    assert [state.broken for state in watch_guardrails(PAIRED, [failing])] == [broken, False]
    slow = mcnemar(9000, 0, 0, slow=(control, variant))
    assert [state.broken for state in watch_guardrails(PAIRED, [slow])] == [False, broken]


def test_unpaired_a_guardrail_expects_cases_by_weight_and_paired_alike() -> None:
    phase = mcnemar(0, 0, 0, weights=(0.8, 0.2), failures=(100, 100))
    assert watch_guardrails(UNPAIRED, [phase])[0].broken
    assert not watch_guardrails(PAIRED, [phase])[0].broken
    never_served = replace(phase, weights=(1.0, 0.0))
    assert watch_guardrails(UNPAIRED, [never_served])[0].log_e == 0


def test_every_variant_has_every_guardrail() -> None:
    design = replace(THREE, guardrails=PAIRED.guardrails, control=1)
    states = watch_guardrails(design, [paired_phase({}, arms=3, failures=(0, 0, 90))])
    assert [(state.guardrail.metric, state.arm, state.broken) for state in states] == [
        ("error_rate", 0, False), ("error_rate", 2, True), ("slow", 0, False), ("slow", 2, False),
    ]  # fmt: skip


def test_a_variant_at_its_margin_breaks_the_guardrail_in_at_most_alpha_of_experiments() -> None:
    """500 experiments of 600 failures each, looked at after every tenth."""
    steps = np.random.default_rng(6).binomial(10, 0.6, size=(500, 60)).cumsum(axis=1)
    broken = sum(
        any(
            watch_guardrails(PAIRED, [mcnemar(0, 0, 0, failures=(10 * i - k, k))])[0].broken
            for i, k in enumerate(run, start=1)
        )
        for run in steps.tolist()
    )
    assert broken / 500 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 500)
