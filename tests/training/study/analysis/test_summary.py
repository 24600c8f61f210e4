import json
from typing import Any

import numpy as np
import pytest

from tests.training.study.results import LABELS, made_up
from training.study.analysis import summary
from training.study.analysis.comparisons import Comparison
from training.study.run import Job, Suite


def suite(comparisons: list[Comparison]) -> Suite:
    def trainer(_: object) -> Any:
        raise AssertionError("nothing is to be trained here")

    titles = {"good": "Good", "bad": "Bad"}
    jobs = [Job(arm, seed, "0") for arm in titles for seed in (1, 2, 3)]
    return Suite("made_up", titles, jobs, comparisons, LABELS, {"steps": 1000}, trainer)


RESULTS = [made_up("good", seed, wrong=seed) for seed in (1, 2, 3)]
RESULTS += [made_up("bad", seed, wrong=20 + seed) for seed in (1, 2, 3)]


def test_a_document_says_how_each_comparison_comes_out() -> None:
    comparisons = [Comparison(1, "bad", "good", -1), Comparison(1, "bad", "good", 1, "test_loss"),
                   Comparison(2, "good", "bad", -1), Comparison(2, "good", "absent", 1)]  # fmt: skip
    document = json.loads(summary.text(summary.document(suite(comparisons), RESULTS)))
    assert [row["outcome"] for row in document["comparisons"]] == ["as claimed", "as claimed", "the other way"]
    assert [claim["verdict"] for claim in document["claims"]] == ["holds", "does not hold: the other way"]
    assert [claim["left_out"] for claim in document["claims"]] == [0, 1]
    first = document["comparisons"][0]
    assert first["difference"] == pytest.approx(-0.2)
    assert first["mcnemar"] == {"only_a": 0, "only_b": 20, "p": pytest.approx(2**-19)}
    assert first["bootstrap"][0] < -0.2 < first["bootstrap"][1] < 0
    assert first["p"] < first["p_holm"] == pytest.approx(2 * first["p"])


def test_an_arm_is_summed_up() -> None:
    good = summary.document(suite([]), RESULTS)["arms"]["good"]
    assert good["test_accuracy"]["mean"] == pytest.approx(0.98)
    assert good["steps_to_97"]["n"] == 3
    assert good["reliability"]["counts"].sum() == 300
    assert good["selective"]["accuracies"][-1] == pytest.approx(0.98)
    assert np.isnan(good["reliability"]["confidences"][0])


def test_a_seed_that_never_gets_there_takes_all_its_steps() -> None:
    (row,) = summary.document(suite([Comparison(2, "bad", "good", -1, "steps_to_97")]), RESULTS)["comparisons"]
    assert row["difference"] == 1


@pytest.mark.parametrize(
    ("difference", "p", "claimed", "outcome"),
    [
        (0.1, 0.01, 1, "as claimed"),
        (0.1, 0.01, -1, "the other way"),
        (-0.1, 0.01, 0, "less"),
        (0.1, 0.05, 1, "no difference shown"),
        (0.1, float("nan"), 1, "not tested"),
    ],
)
def test_outcomes(difference: float, p: float, claimed: int, outcome: str) -> None:
    assert summary.outcome(difference, p, claimed) == outcome


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (["as claimed", "as claimed"], "holds"),
        (["as claimed", "no difference shown"], "holds in part"),
        (["no difference shown"], "not shown"),
        (["the other way", "no difference shown"], "does not hold: the other way"),
        (["not tested"], "not tested"),
        ([], "not tested"),
    ],
)
def test_verdicts(outcomes: list[str], verdict: str) -> None:
    assert summary.verdict(outcomes) == verdict
