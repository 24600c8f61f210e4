from typing import Any

import numpy as np
import pytest

from benchmarks.plans import SETTINGS, median_labels, timed
from serving.gateway.errors import TooManyRequests, Unavailable, Unprocessable
from serving.gateway.experiments.planning import plan as planned_by
from serving.gateway.experiments.planning import planner
from serving.gateway.experiments.planning.plan import plan, smallest_difference
from serving.gateway.experiments.planning.planner import Planner
from serving.gateway.experiments.planning.rates import rates_of
from serving.gateway.experiments.planning.simulation import BATCH, simulate
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.store.store import Store

BETTER: dict[str, Any] = {"control_error": 0.01, "variant_error": 0.007, "disagreement": 0.009}


def planned(**given: Any) -> dict[str, Any]:
    spec = PlanSpec(**{**BETTER, "runs": 300, "max_labels": 20_000, **given})
    return plan(spec, rates_of(spec))


def test_a_plan_agrees_with_the_figure_of_the_docs() -> None:
    found = planned(images_per_day=1000)
    assert 6500 < found["images"]["median"] < 8500  # docs/figures.md: 7,181 and 7,738
    assert found["days"]["median"] == found["images"]["median"] / 1000
    assert found["labels"]["median"] == pytest.approx(0.009 * found["images"]["median"], rel=0.15)
    assert found["images"]["p80"] > found["images"]["median"]
    assert found["verdicts"]["ship"] > 0.98


@pytest.mark.slow
def test_a_plan_agrees_with_experiments_that_the_gateway_judges() -> None:
    found, _ = timed(SETTINGS[0])
    assert found["labels"]["median"] == pytest.approx(median_labels(SETTINGS[0], 25, 30_000), rel=0.5)


@pytest.mark.slow
def test_equal_arms_seldom_get_a_verdict_for_a_side() -> None:
    found = planned(variant_error=0.01, margin=1e-6, max_labels=2000)["verdicts"]
    assert found["ship"] + found["roll_back"] < 0.07
    assert set(planned(variant_error=0.01, margin=1e-6, max_labels=500)["images"].values()) == {None}


def test_the_smallest_difference_is_found_in_four_of_five_runs() -> None:
    spec = PlanSpec(**{**BETTER, "max_labels": 300})
    rates = rates_of(spec)
    smallest, missed = smallest_difference(spec, rates, float("inf"))
    assert smallest is not None and missed is not None
    assert 0.97 < missed / smallest < 1
    ends = simulate(spec, rates.moved(smallest), float("inf"), seed=5)
    assert 0.7 < np.mean(ends.verdicts == 0) < 0.9
    few = PlanSpec(**{**BETTER, "max_labels": 5})
    assert smallest_difference(few, rates, float("inf")) == (None, rates.largest_difference)


@pytest.mark.slow
def test_late_labels_take_more_images_and_no_more_labels() -> None:
    at_once, late = planned(images_per_day=1000), planned(images_per_day=1000, label_delay_days=7)
    assert late["labels"]["median"] == pytest.approx(at_once["labels"]["median"], rel=0.1)
    assert late["days"]["median"] > at_once["days"]["median"] + 4


@pytest.mark.slow
def test_more_arms_and_fewer_labels_take_longer() -> None:
    base, half = planned(), planned(label_share=0.5)
    assert planned(arms=6)["images"]["median"] > base["images"]["median"]
    assert half["images"]["median"] == pytest.approx(2 * base["images"]["median"], rel=0.15)
    assert half["labels"]["median"] == pytest.approx(base["labels"]["median"], rel=0.15)
    assert planned(paired=False, max_labels=200_000)["images"]["median"] > 3 * base["images"]["median"]


@pytest.mark.parametrize(
    "given",
    [
        {"control_error": 2e-9, "variant_error": 1e-9, "disagreement": 2e-9, "label_share": 1e-6},
        {"control_error": 1.0, "variant_error": 0.0, "disagreement": 1.0, "images_per_unit": 1000, "alpha": 1e-6},
        {"images_per_day": 0.001, "label_delay_days": 1e-300, "max_labels": 1},
        {"images_per_day": 1e10, "label_delay_days": 3650.0, "arms": 6, "margin": 0.99},
        {"paired": False, "control_error": 1.0, "variant_error": 1e-9, "weight": 0.001},
        {
            "control_error": 0.3,
            "variant_error": 0.3,
            "disagreement": 0.5,
            "images_per_unit": 1000,
            "margin": 1e-9,
            "max_labels": 100_000_000,
        },
    ],
)
@pytest.mark.filterwarnings("error")
@pytest.mark.slow
def test_extreme_plans_are_finite_and_ready(given: dict[str, Any]) -> None:
    found = planned(**{"runs": 100, **given})
    assert sum(found["verdicts"].values()) == pytest.approx(1)
    figures = [value for measure in ("images", "labels", "days") for value in found[measure].values()]
    assert all(np.isfinite(value) for value in figures if value is not None)


def test_a_delay_needs_the_traffic() -> None:
    with pytest.raises(Unprocessable, match="/images_per_day: a delay of labels needs images_per_day"):
        planned(label_delay_days=2)


def test_a_plan_makes_do_with_the_runs_of_its_time() -> None:
    spec = PlanSpec(**BETTER)
    ends, none_left = simulate(spec, rates_of(spec), float("inf")), simulate(spec, rates_of(spec), 0)
    assert (len(ends.verdicts), len(none_left.verdicts)) == (500, BATCH)
    smallest, missed = smallest_difference(spec, rates_of(spec), 0)
    assert (smallest, missed) == (0.009, pytest.approx(0.009 / 1000))  # the first that is tried


@pytest.mark.slow
def test_the_interval_of_the_median_narrows_with_more_runs() -> None:
    few, many = planned(runs=100)["images"], planned(runs=1000)["images"]
    for found in (few, many):
        assert found["median_low"] < found["median"] < found["median_high"] < found["p80"]
    assert few["median_high"] - few["median_low"] > 2 * (many["median_high"] - many["median_low"])


def test_a_machine_that_is_too_slow_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned_by, "SECONDS", 0.0)
    with pytest.raises(Unavailable, match="was not ready within 0 s: this machine is busy. Ask again"):
        planned(runs=100)


def test_one_plan_is_made_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    asked = Planner(Store(f"sqlite:///{tmp_path}/experiments.db"))

    def meanwhile(*_: Any) -> dict[str, Any]:
        with pytest.raises(TooManyRequests, match="Another plan is being made"):
            asked.plan(PlanSpec(**BETTER))
        return {}

    monkeypatch.setattr(planner, "plan", meanwhile)
    assert asked.plan(PlanSpec(**BETTER)) == asked.plan(PlanSpec(**BETTER)) == {}
