"""The report of the worked example, whole, and of everything there may be too little or too much of."""

import json
import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from serving.gateway.experiments.outcomes import Design, Latency, PhaseCounts
from serving.gateway.experiments.report import build_report
from tests.gateway.experiments.counts import PAIRED, THREE, UNPAIRED, mcnemar, paired_phase, unpaired_phase

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=timezone(timedelta(hours=2)))
WORKED = replace(
    paired_phase({0b11: 8880, 0b01: 30, 0b10: 60, 0b00: 30}),
    compared=9000, disagreements=112, labelled_disagreements=112,
)  # fmt: skip


def report(design: Design, phases: list[PhaseCounts]) -> dict[str, Any]:
    """Return the report as a client reads it; fail where it is no strict JSON."""
    latencies = [Latency(6, 19), *[None] * (len(design.arms) - 1)]
    return json.loads(json.dumps(build_report(design, phases, latencies, "running", NOW), allow_nan=False))


def test_the_worked_example() -> None:
    seen = report(PAIRED, [WORKED])
    assert seen | {"arms": 0, "checks": 0, "comparisons": 0, "guardrails": 0, "decision": 0} == {
        "experiment": "dropout_vs_l2", "phase": 1, "status": "running", "as_of": "2026-11-23T10:00:00Z",
        "design": "paired", "notes": [], "arms": 0, "checks": 0, "comparisons": 0, "guardrails": 0, "decision": 0,
        "counts": {
            "units": 9000, "labelled": 9000, "compared": 9000, "disagreements": 112, "labelled_disagreements": 112,
        },
    }  # fmt: skip
    assert seen["checks"]["srm"] == {"e": pytest.approx(0.1046, abs=1e-4), "p": 1.0, "ok": True}
    assert seen["arms"][0] == {
        "variant": "l2", "control": True, "weight": 0.5, "units": 4500, "n": 9000, "accuracy": 0.99,
        "ci": pytest.approx([0.9877, 0.9919], abs=1e-4), "p50_ms": 6, "p99_ms": 19, "error_rate": None,
    }  # fmt: skip
    assert seen["comparisons"] == [{
        "variant": "dropout", "vs": "l2", "only_variant_right": 60, "only_control_right": 30, "n": 9000,
        "diff": pytest.approx(0.0033, abs=5e-5), "cs": pytest.approx([0.00013, 0.0065], rel=0.04),
        "e_value": pytest.approx(31.3, abs=0.05), "p_anytime": pytest.approx(0.032, abs=5e-4), "e_threshold": 20,
        "significant": True, "verdict": "better", "cases_to_go": 0,
    }]  # fmt: skip
    assert seen["guardrails"][1] == {
        "metric": "slow", "variant": "dropout", "margin": 0.5, "threshold_ms": 100, "variant_count": 0,
        "control_count": 0, "e_value": 1, "e_threshold": 20, "state": "ok",
    }  # fmt: skip
    assert (seen["decision"]["recommendation"], seen["decision"]["variant"]) == ("ship", "dropout")


def test_any_arm_may_be_control_and_weights_are_those_of_now() -> None:
    seen = report(replace(PAIRED, control=1), [WORKED, replace(WORKED, weights=(0.8, 0.2))])
    assert [(arm["control"], arm["weight"]) for arm in seen["arms"]] == [(False, 0.8), (True, 0.2)]
    assert [(c["variant"], c["vs"], c["verdict"]) for c in seen["comparisons"]] == [("l2", "dropout", "worse")]


def test_unpaired_counts_each_arm_by_its_own_labels() -> None:
    seen = report(UNPAIRED, [unpaired_phase([30, 10], [1000, 500], requests=(2000, 1000), failures=(4, 0))])
    assert [(arm["n"], arm["accuracy"], arm["error_rate"]) for arm in seen["arms"]] == [
        (1000, 0.97, 0.002),
        (500, 0.98, 0),
    ]
    assert (seen["counts"]["labelled"], seen["comparisons"][0]["variant_errors"]) == (1500, 10)
    assert seen["design"] == "unpaired"


@pytest.mark.parametrize("design", [PAIRED, UNPAIRED, THREE])
def test_without_anything_seen_the_figures_are_null(design: Design) -> None:
    empty = paired_phase({}, arms=len(design.arms))
    for phases in ([], [empty], [empty, empty]):
        seen = report(design, phases)
        assert seen["phase"] == len(phases)
        assert seen["arms"][1]["accuracy"] is seen["arms"][1]["ci"] is seen["comparisons"][0]["cs"] is None
        assert (seen["comparisons"][0]["e_value"], seen["decision"]["recommendation"]) == (1, "continue")


def test_figures_beyond_all_bounds_are_still_json() -> None:
    huge = mcnemar(10_000_000, 0, 9_000_000, weights=(1.0, 0.0), units=(0, 9), slow=(0, 9_000_000))
    seen = report(PAIRED, [huge])
    assert seen["checks"]["srm"] == {"e": math.exp(690), "p": 0, "ok": False}
    assert (seen["comparisons"][0]["p_anytime"], seen["decision"]["recommendation"]) == (0, "unhealthy")


def test_it_says_when_only_disagreements_have_labels() -> None:
    queue = mcnemar(0, 30, 60, compared=8980, disagreements=90, labelled_disagreements=90)
    seen = report(PAIRED, [queue])
    assert seen["notes"][0].startswith("Most labels are of images on which the arms disagree")
    assert report(PAIRED, [replace(WORKED, disagreements=90, compared=12_000)])["notes"] == []
    assert (seen["comparisons"][0]["n"], seen["arms"][0]["n"]) == (8980, 90)
