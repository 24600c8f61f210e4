from typing import Any

import pytest
from pydantic import ValidationError

from serving.gateway.errors import Unprocessable
from serving.gateway.experiments.planning.rates import Rates, rates_of
from serving.gateway.experiments.planning.spec import PlanSpec


def of(pilot: Rates | None = None, **given: Any) -> Rates:
    return rates_of(PlanSpec(**given), pilot)


def test_rates_follow_from_errors_and_disagreement() -> None:
    rates = of(control_error=0.03, variant_error=0.02, disagreement=0.025, neither_right=0.005)
    assert (rates.won, rates.lost) == (pytest.approx(0.015), pytest.approx(0.005))
    assert (rates.disagreement, rates.difference) == (pytest.approx(0.025), pytest.approx(0.01))
    assert of(control_error=0.03, variant_error=0.02, paired=False).difference == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("given", "place", "text"),
    [
        ({"disagreement": 0.01}, "/control_error", "control_error is missing; give both error rates, or a pilot"),
        ({"control_error": 0.01}, "/variant_error", "variant_error is missing"),
        ({"variant_error": 0.01}, "/control_error", "control_error is missing"),
        ({"control_error": 0.02, "variant_error": 0.01}, "/disagreement", "needs the share of images"),
        (
            {"control_error": 0.01, "variant_error": 0.007, "disagreement": 0.002}, "/disagreement",
            "0.002 is too low for error rates of 0.01 and 0.007: with that difference the two disagree on 0.003 of",
        ),
        (
            {"control_error": 0.01, "variant_error": 0.01, "disagreement": 0.03}, "/disagreement",
            "0.03 is too high for error rates of 0.01 and 0.01: with those the two disagree on 0.02 of",
        ),
        (
            {"control_error": 0.99, "variant_error": 0.98, "disagreement": 0.5}, "/disagreement",
            "the two disagree on 0.03 of the images at most",
        ),
        ({"control_error": 0.1, "variant_error": 0.1, "disagreement": 0.0}, "/disagreement", "0 is not above 0 by a"),
        (
            {"control_error": 0.1, "variant_error": 0.1, "disagreement": 0.02, "neither_right": 0.02}, "/disagreement",
            "0.02 is not above 0.02, its part in which neither is right",
        ),
        ({"control_error": 0.0, "variant_error": 0.0, "paired": False}, "/control_error", "arms without errors"),
    ],
)  # fmt: skip
def test_impossible_rates_are_refused_where_they_are(given: dict[str, Any], place: str, text: str) -> None:
    with pytest.raises(Unprocessable, match=text.replace("(", r"\(")) as refused:
        of(**given)
    assert [fault.pointer for fault in refused.value.faults] == [place]


@pytest.mark.parametrize(
    "given",
    [{"control_error": 1.1}, {"variant_error": -0.1}, {"runs": 10_000}, {"max_labels": 10**9}, {"images_per_unit": 0},
     {"alpha": 0.0}, {"label_delay_days": float("inf")}, {"images_per_day": 0}, {"weight": 0.0}, {"days": 1}],
)  # fmt: skip
def test_values_out_of_range_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PlanSpec(**given)


def test_a_pilot_gives_what_is_left_out_and_nothing_else() -> None:
    pilot = of(control_error=0.03, variant_error=0.02, disagreement=0.025, neither_right=0.005)
    assert of(pilot, paired=True) == pilot
    better = of(pilot, paired=True, variant_error=0.015)
    assert better.errors == (0.03, 0.015)
    assert (better.difference, better.disagreement, better.neither) == (
        pytest.approx(0.015), pytest.approx(0.025), pytest.approx(0.005)
    )  # fmt: skip
    assert of(pilot, paired=True, neither_right=0.0).neither == 0


def test_the_largest_difference_is_possible_and_no_larger_one() -> None:
    for errors, disagreement in (((0.01, 0.007), 0.009), ((0.02, 0.02), 0.03)):
        rates = of(control_error=errors[0], variant_error=errors[1], disagreement=disagreement)
        most = rates.largest_difference
        of(control_error=errors[0], variant_error=errors[0] - most, disagreement=disagreement)
        with pytest.raises((Unprocessable, ValidationError)):
            of(control_error=errors[0], variant_error=errors[0] - most - 1e-6, disagreement=disagreement)
