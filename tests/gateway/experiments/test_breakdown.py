"""Where arms differ: counted as labels come, corrected for all rows, and never deciding."""

import random
from typing import Any

import pytest
from sqlalchemy import delete
from statsmodels.stats.multitest import multipletests

from serving.gateway.experiments.breakdown import breakdown, corrected
from serving.gateway.store import days
from serving.gateway.store.clients import KINDS, kind_of
from serving.gateway.store.store import Store
from serving.gateway.store.tables import breakdown as breakdown_rows
from serving.gateway.store.tables import counts
from testing.recount import problems
from testing.trials import Trial, spec

BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


def rows(store: Store, trial: Trial) -> dict[tuple[str, str], dict[str, Any]]:
    with store.read() as connection:
        assert problems(connection, trial.row().id) == []
        found = breakdown(connection, trial.row())
    assert (found["exploratory"], found["tests"]) == (True, len(found["rows"]))
    return {(row["dimension"], row["value"]): row for row in found["rows"]}


@BOTH
def test_paired_images_are_counted_by_their_properties(store: Store) -> None:
    trial = Trial(store, spec(0.5, 0.5, paired=True))
    ids = trial.send([0, 1] * 15, [("1", "7")] * 20 + [("1", "1")] * 8 + [("7", "1")] * 2)
    trial.label(dict.fromkeys(ids[:20], "7"))
    trial.label(dict.fromkeys(ids[20:28], "1"), "audit")
    trial.label(dict.fromkeys(ids[28:29], "7"), "user")
    trial.label(dict.fromkeys(ids[29:], "unreadable"))
    found = rows(store, trial)
    seven = found["truth", "7"]
    assert (seven["labelled"], seven["only_variant_right"], seven["only_control_right"]) == (20, 20, 0)
    assert seven["difference"] == 1
    assert seven["p_anytime"] < seven["p_holm"] < 0.05
    assert found["truth", "1"]["p_holm"] == 1
    assert {key: row["labelled"] for key, row in found.items()} == {
        ("truth", "7"): 20, ("truth", "1"): 8, ("predicted", "1/7"): 20, ("confidence", "0.85 to 0.95"): 28,
        ("source", "ground_truth"): 20, ("source", "audit"): 8, ("client", "other"): 28,
    }  # fmt: skip
    assert trial.report()["decision"]["recommendation"] == "ship"  # by the evidence of all images, not by this


@BOTH
def test_a_replaced_label_moves_an_image(store: Store) -> None:
    trial = Trial(store, spec(0.5, 0.5, paired=True))
    ids = trial.send([0, 1], [("1", "7")] * 2)
    trial.label(dict.fromkeys(ids, "7"), "audit")
    trial.label({ids[0]: "1"})
    found = rows(store, trial)
    assert (found["truth", "7"]["only_variant_right"], found["truth", "1"]["only_control_right"]) == (1, 1)
    trial.label({ids[1]: "unreadable"})
    assert ("truth", "7") not in rows(store, trial)


@BOTH
def test_unpaired_units_are_counted_by_arm(store: Store) -> None:
    trial = Trial(store, spec(0.5, 0.5))
    ids = trial.send([0, 1] * 30, [("3", "5")] * 60)
    trial.label(dict.fromkeys(ids, "3"))
    found = rows(store, trial)
    three = found["truth", "3"]
    assert (three["labelled"], three["control_labelled"]) == (30, 30)
    assert (three["variant_errors"], three["control_errors"], three["difference"]) == (30, 0, -1)
    assert ("confidence", "0.85 to 0.95") not in found
    assert ("predicted", "3") not in found  # only control has said so: nothing to compare
    assert 0 < three["p_holm"] < 0.05


def simulated(store: Store, paired: bool, *weights: float) -> Trial:
    """Return an experiment of equal arms, which are wrong independently of each other, each three times in ten."""
    draw = random.Random(1)
    trial = Trial(store, spec(0.5, 0.5, paired=paired))
    for weight in weights:
        trial.reweight(1 - weight, weight)
        truth = [draw.choice("17") for _ in range(300)]
        said = [[t if draw.random() < 0.7 else "71"["17".index(t)] for _ in "ab"] for t in truth]
        ids = trial.send([int(draw.random() < weight) for _ in truth], said)
        trial.label(dict(zip(ids, truth, strict=True)))
    return trial


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("paired", [True, False])
def test_equal_arms_differ_nowhere(store: Store, paired: bool) -> None:
    """Nor where the weights change, so that the shares of the labels do."""
    found = rows(store, simulated(store, paired, 0.5, 0.1 if not paired else 0.5))
    assert {value for dimension, value in found if dimension == "predicted"} == ({"1/7"} if paired else {"1", "7"})
    assert min(row["p_anytime"] for row in found.values()) > 0.05


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_errors_that_fall_as_the_weights_are_no_difference(store: Store) -> None:
    """As in the report: labels may come unevenly, so both the weights and the labels so far have to speak for one."""
    trial = Trial(store, spec(0.8, 0.2))
    said = [("1", "1")] * 32 + [("7", "7")] * 18 + [("1", "1")] * 8 + [("7", "7")] * 42
    trial.label(dict.fromkeys(trial.send([0] * 50 + [1] * 50, said), "7"))
    found = rows(store, trial)["truth", "7"]
    assert (found["control_errors"], found["variant_errors"], found["p_anytime"]) == (32, 8, 1)


@BOTH
@pytest.mark.parametrize("paired", [True, False])
def test_labels_from_before_the_upgrade_may_be_replaced(store: Store, paired: bool) -> None:
    """No row has counted them, so the rows of their old values fall below 0."""
    trial = Trial(store, spec(0.5, 0.5, paired=paired))
    ids = trial.send([0, 1] * 4, [("3", "5")] * 8)
    trial.label(dict.fromkeys(ids, "3"), "audit")
    with store.write() as connection:
        connection.execute(delete(breakdown_rows))
        connection.execute(delete(counts).where(counts.c.name.in_([days.LABELLED, days.DIFFERING_LABELLED])))
    trial.label(dict.fromkeys(ids[:2], "5"), "ground_truth")
    with store.read() as connection:
        found = breakdown(connection, trial.row())["rows"]
    assert {row["value"] for row in found if row["dimension"] == "truth"} == {"5"}
    assert all(0 <= row["p_holm"] <= 1 and -1 <= row["difference"] <= 1 for row in found)
    trial.label(dict.fromkeys(ids[2:], "unreadable"), "ground_truth")
    assert all(group["labelled"] >= 0 for group in trial.report()["maturity"]["ages"])


def test_p_values_are_corrected_as_holm_does() -> None:
    given = [0.3, 0.004, 1.0, 0.011, 0.02, 0.004]
    found = [row["p_holm"] for row in corrected([{"p_anytime": p} for p in given])]
    assert found == pytest.approx(multipletests(given, method="holm")[1].tolist())
    assert corrected([]) == []


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"user-agent": "Mozilla/5.0 (X11)", "sec-fetch-site": "same-origin"}, "page"),
        ({"user-agent": "Mozilla/5.0 (X11)"}, "browser"),
        ({"user-agent": "python-requests/2.32", "sec-fetch-site": "same-origin"}, "python"),
        ({"user-agent": "curl/8.5.0"}, "curl"),
        ({"user-agent": "x" * 10_000 + "curl/"}, "other"),
        ({}, "other"),
    ],
)
def test_clients_are_told_apart(headers: dict[str, str], kind: str) -> None:
    assert KINDS[kind_of(headers)] == kind
