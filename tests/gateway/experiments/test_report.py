"""The report of the worked example, whole, and of everything there may be too little or too much of."""

import json
import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from serving.gateway.experiments.outcomes import Design, Latency, PhaseCounts
from serving.gateway.experiments.report import build_report
from testing.phase_counts import (
    PAIRED,
    THREE,
    UNPAIRED,
    cases,
    mcnemar,
    paired_phase,
    queue,
    unpaired_phase,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=timezone(timedelta(hours=2)))
WORKED = replace(
    paired_phase({0b11: 8880, 0b01: 30, 0b10: 60, 0b00: 30}),
    disagreements=112, labelled_disagreements=112, exposures=(9000, 9000), requests=(9000, 9000),
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
            "units": 9000, "labelled": 9000, "volunteered": 0, "compared": 9000, "disagreements": 112,
            "labelled_disagreements": 112, "unreadable": 0, "repeats": 0, "without_answers": 0,
        },
    }  # fmt: skip
    assert seen["checks"]["srm"] == {"e": pytest.approx(0.1046, abs=1e-4), "p": 1.0, "ok": True}
    assert seen["checks"]["label_sample"] == {"e": 1.0, "p": 1.0, "ok": True}
    assert seen["checks"]["stand_ins"] == {"share": 0.0, "most": 0.02, "ok": True}
    assert seen["arms"][0] == {
        "variant": "l2", "control": True, "weight": 0.5, "units": 4500, "n": 9000, "accuracy": 0.99,
        "ci": pytest.approx([0.9853, 0.9936], abs=1e-4), "p50_ms": 6, "p99_ms": 19, "error_rate": 0.0, "stand_ins": 0,
    }  # fmt: skip
    assert seen["comparisons"] == [{
        "variant": "dropout", "vs": "l2", "only_variant_right": 60, "only_control_right": 30,
        "units": {"for_variant": 60, "for_control": 30, "tied": 0}, "firsts": [60, 30], "volunteered": 0, "n": 9000,
        "diff": pytest.approx(0.0033, abs=5e-5), "cs": pytest.approx([0.00013, 0.0065], rel=0.04),
        "e_value": pytest.approx(31.3, abs=0.05), "p_anytime": pytest.approx(0.032, abs=5e-4), "e_threshold": 20,
        "significant": True, "verdict": "better", "cases_to_go": 0,
    }]  # fmt: skip
    assert seen["guardrails"][1] == {
        "metric": "slow", "variant": "dropout", "margin": 0.5, "threshold_ms": 100, "variant_count": 0,
        "control_count": 0, "e_value": 1, "e_threshold": 40, "comparable": True, "state": "ok",
    }  # fmt: skip
    assert (seen["decision"]["recommendation"], seen["decision"]["variant"]) == ("ship", "dropout")


def test_any_arm_may_be_control_and_weights_are_those_of_now() -> None:
    seen = report(
        replace(PAIRED, control=1),
        [mcnemar(8910, 60, 30, control=1), mcnemar(0, 0, 0, control=1, weights=(0.8, 0.2))],
    )
    assert [(arm["control"], arm["weight"]) for arm in seen["arms"]] == [(False, 0.8), (True, 0.2)]
    assert [(c["variant"], c["vs"], c["verdict"]) for c in seen["comparisons"]] == [("l2", "dropout", "worse")]


def test_unpaired_counts_each_arm_by_its_own_labels() -> None:
    seen = report(
        UNPAIRED,
        [unpaired_phase([30, 10], [1000, 500], weights=(2 / 3, 1 / 3), requests=(2000, 1000), failures=(4, 0))],
    )
    assert [(arm["n"], arm["accuracy"], arm["error_rate"]) for arm in seen["arms"]] == [
        (1000, 0.97, 0.002),
        (500, 0.98, 0),
    ]
    assert (seen["counts"]["labelled"], seen["comparisons"][0]["variant_errors"]) == (1500, 10)
    assert (seen["design"], seen["comparisons"][0]["units"]) == ("unpaired", None)


@pytest.mark.parametrize("design", [PAIRED, UNPAIRED, THREE])
def test_without_anything_seen_the_figures_are_null(design: Design) -> None:
    empty = paired_phase({}, arms=len(design.arms))
    for phases in ([], [empty], [empty, empty]):
        seen = report(design, phases)
        assert seen["phase"] == len(phases)
        assert seen["arms"][1]["accuracy"] is seen["arms"][1]["ci"] is seen["comparisons"][0]["cs"] is None
        assert (seen["comparisons"][0]["e_value"], seen["decision"]["recommendation"]) == (1, "continue")


def test_figures_beyond_all_bounds_are_still_json() -> None:
    huge = mcnemar(10_000_000, 0, 9_000_000, weights=(1.0, 0.0), units=(0, 9), slow=cases((0, 9_000_000)))
    seen = report(PAIRED, [huge])
    assert seen["checks"]["srm"] == {"e": math.exp(690), "p": 0, "ok": False}
    assert seen["decision"]["recommendation"] == "unhealthy"
    assert report(PAIRED, [mcnemar(10_000_000, 0, 9_000_000)])["comparisons"][0]["p_anytime"] == 0


def test_a_biased_subset_gives_no_accuracy() -> None:
    seen = report(PAIRED, [queue(8980, 60, 30)])
    assert seen["notes"][0].startswith("Most labels are of images on which the arms disagree")
    assert (seen["arms"][0]["accuracy"], seen["arms"][0]["ci"], seen["arms"][0]["n"]) == (None, None, 90)
    assert (seen["comparisons"][0]["n"], seen["comparisons"][0]["verdict"]) == (8980, "better")
    assert report(PAIRED, [replace(WORKED, disagreements=90, compared=12_000)])["notes"] == []


def test_labels_of_users_do_not_tell_whether_accuracies_describe_the_traffic() -> None:
    from_queue = replace(queue(8980, 60, 30), labels=7090, volunteered=7000)
    assert report(PAIRED, [from_queue])["arms"][0]["accuracy"] is None
    fair = replace(
        mcnemar(198, 1, 1), compared=20_000, disagreements=240, labelled_disagreements=62, labels=260, volunteered=60
    )
    assert report(PAIRED, [fair])["arms"][0]["accuracy"] == 0.995


def test_paired_accuracy_counts_units_that_the_arm_has_answered() -> None:
    firsts = {(0b11, 0b01): 10, (0b11, 0b11): 60, (0b10, 0b10): 20, (0b10, 0b00): 10}
    arms = report(PAIRED, [replace(WORKED, firsts=firsts)])["arms"]
    assert [(arm["n"], arm["accuracy"]) for arm in arms] == [(70, 1.0), (100, 0.8)]


def test_a_phase_that_fails_its_check_gives_no_evidence() -> None:
    bad = replace(WORKED, units=(5000, 4000), failed=cases((0, 900)), repeats=3)
    seen = report(PAIRED, [bad, WORKED])
    assert seen["notes"] == [
        "Phase 1 is left out of the evidence: its units or labels do not follow its weights.",
        "3 repeated images are left out: the same pixels count once in an experiment.",
    ]
    alone = report(PAIRED, [WORKED])
    assert (seen["comparisons"], seen["checks"]) == (alone["comparisons"], alone["checks"])
    assert (seen["guardrails"], seen["decision"]) == (alone["guardrails"], alone["decision"])
    assert [arm["n"] for arm in seen["arms"]] == [9000, 9000]
    assert seen["counts"]["units"] == 18_000


def test_stand_ins_leave_accuracy_unjudged() -> None:
    seen = report(PAIRED, [replace(WORKED, exposures=(9000, 9000), stand_ins=(0, 900))])
    assert seen["checks"]["stand_ins"] == {"share": 0.1, "most": 0.02, "ok": False}
    assert seen["notes"] == seen["decision"]["reasons"]
    assert (seen["arms"][1]["stand_ins"], seen["comparisons"][0]["verdict"]) == (900, "undecided")


def test_of_three_arms_only_the_one_with_stand_ins_has_no_verdict() -> None:
    phase = paired_phase({7: 9000, 0b110: 60, 1: 20}, arms=3, exposures=(900,) * 3, stand_ins=(0, 90, 0))
    seen = report(THREE, [phase])
    assert [c["verdict"] for c in seen["comparisons"]] == ["undecided", "better"]
    assert (seen["decision"]["variant"], seen["checks"]["stand_ins"]["ok"]) == ("dropout", False)


@pytest.mark.parametrize(("design", "needed"), [(PAIRED, "weights between 0 and 1"), (UNPAIRED, "weights above 0")])
def test_a_guardrail_that_cannot_compare_names_the_weights_it_needs(design: Design, needed: str) -> None:
    seen = report(design, [replace(WORKED, weights=(1.0, 0.0), units=(9000, 0), labelled=(9000, 0))])
    assert [(rail["comparable"], rail["state"]) for rail in seen["guardrails"]] == [(False, "ok")] * 2
    assert seen["notes"][0] == f"The guardrail error_rate cannot compare dropout with l2: give both {needed}."


def test_labels_and_images_that_do_not_count_are_reported() -> None:
    seen = report(PAIRED, [replace(WORKED, repeats=1200, without_answers=7, unreadable=5)] * 2)
    assert seen["notes"] == [
        "2,400 repeated images are left out: the same pixels count once in an experiment.",
        "14 labels do not count: the answers to their images are missing or deleted.",
    ]
    assert (seen["counts"]["repeats"], seen["counts"]["without_answers"], seen["counts"]["unreadable"]) == (
        2400,
        14,
        10,
    )
