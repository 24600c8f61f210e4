from typing import Any

import pytest
from pydantic import ValidationError

from serving.gateway.experiments.outcomes import Design, Guardrail
from serving.gateway.experiments.spec import ExperimentSpec, volunteers

GOOD: dict[str, Any] = {
    "name": "b_vs_a", "control": "a", "arms": [{"variant": "b", "weight": 0.25}, {"variant": "a", "weight": 0.75}],
    "paired": True,
    "guardrails": [{"metric": "error_rate", "margin": 0.5}, {"metric": "slow", "threshold_ms": 90, "margin": 1}],
}  # fmt: skip


def weighted(*weights: float) -> list[dict[str, Any]]:
    return [{"variant": "abcdefgh"[at], "weight": weight} for at, weight in enumerate(weights)]


def test_the_facts_are_those_of_the_spec() -> None:
    spec = ExperimentSpec.model_validate(GOOD)
    rails = (Guardrail("error_rate", 0.5), Guardrail("slow", 1.0, 90.0))
    assert spec.design == Design("b_vs_a", ("b", "a"), 1, True, 0.05, 0.002, 200_000, rails)
    assert (spec.weights, spec.slow_ms) == ([0.25, 0.75], 90)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": "B"}, "should match pattern"),
        ({"control": "c"}, "control 'c' is not among the arms b, a"),
        ({"arms": weighted(1.0)}, "at least 2 items"),
        ({"arms": weighted(*[1 / 7] * 7)}, "at most 6 items"),
        ({"arms": weighted(0.5, 0.4)}, "the weights add up to 0.9 instead of 1"),
        ({"arms": weighted(1.0, 0.0), "paired": False}, "a weight of 0 needs paired: true"),
        ({"arms": weighted(1.5, -0.5)}, "less than or equal to 1"),
        ({"arms": weighted(0.5, float("nan"))}, "finite number"),
        ({"arms": weighted(0.5) * 2}, "a variant is in two arms: a, a"),
        ({"alpha": 0.5}, "less than 0.5"),
        ({"traffic": 0}, "greater than 0"),
        ({"on_decision": "explode"}, "'notify' or 'promote'"),
        (
            {"guardrails": [{"metric": "slow", "margin": 0.5}]},
            "the metric 'slow' needs threshold_ms",
        ),
        ({"guardrails": [{"metric": "error_rate", "margin": 0.5}] * 2}, "a metric has two guardrails"),
        ({"wait": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_bad_experiment_is_told_what_is_wrong(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        ExperimentSpec.model_validate({**GOOD, **changes})


def test_a_shadow_has_weight_0() -> None:
    assert ExperimentSpec.model_validate({**GOOD, "arms": weighted(1.0, 0.0)}).weights == [1.0, 0.0]


@pytest.mark.parametrize(
    ("weights", "changes", "arms"),
    [
        ([0.5, 0.5], {}, {0, 1}),
        ([0.9, 0.1], {}, {1}),
        ([0.4, 0.2, 0.4], {}, {0, 2}),
        ([0.0, 0.0, 1.0], {}, {2}),
        ([0.5, 0.5, 0.0], {}, set()),
        ([0.5, 0.5], {"paired": False}, set()),
        ([0.5, 0.5], {"on_decision": "promote"}, set()),
    ],
)
def test_volunteered_labels_are_evidence_on_arms_that_are_served_as_often_as_control(
    weights: list[float], changes: dict[str, Any], arms: set[int]
) -> None:
    control = "abcdefgh"[len(weights) - 1]
    spec = {"name": "x", "control": control, "arms": weighted(*weights), "paired": True, **changes}
    assert volunteers(weights, ExperimentSpec.model_validate(spec)) == arms
