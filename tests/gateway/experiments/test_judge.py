from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from serving.gateway.experiments import judge as judge_module
from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.cache import ExperimentCache
from serving.gateway.experiments.evidence import overturned
from serving.gateway.experiments.judge import Judge, judge
from serving.gateway.experiments.lifecycle import Act
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.manifest import Manifest
from serving.gateway.store import counts, events, experiments, interim_results, promotions
from serving.gateway.store.counts import Count
from serving.gateway.store.store import Store
from testing.api import json_of
from testing.fake_model_server import FakeModelServer, shifted
from testing.manifest import MANIFEST
from testing.traffic import PAIRED, RAW, SPLIT, label_all, predict, report, start
from testing.waiting import eventually

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])

BY = Act("test")
PUBLISHED = Manifest.model_validate(MANIFEST)
PROMOTE = {**SPLIT, "on_decision": "promote"}
KEPT = "a verdict is kept, but promotes and stops nothing."


class Reports:
    """Give the judge a made-up report of each experiment, instead of its evidence."""

    def __init__(self) -> None:
        self.labelled, self.recommendation = 100, "ship"

    def __call__(self, connection: object, experiment: object) -> dict[str, Any]:
        decision = {"recommendation": self.recommendation, "variant": "dropout", "reasons": ["Made up."]}
        return {"counts": {"labelled": self.labelled}, "comparisons": [], "decision": decision, "as_of": "now"}


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Reports:
    made = Reports()
    monkeypatch.setattr(judge_module, "report", made)
    return made


@pytest.fixture
def run(store: Store) -> Callable[..., None]:
    """Give a function that starts an experiment and takes further steps."""

    def make(spec: dict[str, Any], *steps: str) -> None:
        with store.write() as connection:
            lifecycle.create(connection, ExperimentSpec.model_validate(spec), BY)
            for step in ("start", *steps):
                lifecycle.step(connection, spec["name"], step, BY, manifest=PUBLISHED)

    return make


def look(store: Store) -> tuple[str, str | None, str | None, list[int]]:
    """Return status, verdict, the promoted variant and the interim results of the experiment."""
    with store.read() as connection:
        found = experiments.by_id(connection, 1)
        promoted = promotions.current(connection)
        results = [each.labelled for each in interim_results.present(connection, 1)]
    verdict = found.verdict and found.verdict["recommendation"]
    return found.status, verdict, promoted.variant if promoted else None, results


def log(store: Store, action: str) -> list[str | None]:
    """Return the reasons of the gateway's entries of this kind."""
    with store.read() as connection:
        entries = experiments.logged(connection, "test")
    return [entry.reason for entry in entries if (entry.who, entry.action) == ("gateway", action)]


@pytest.mark.parametrize(("steps", "status"), [((), "running"), (("pause",), "paused"), (("stop",), "stopped")])
def test_an_experiment_is_judged_while_it_takes_labels(
    store: Store, reports: Reports, run: Callable[..., None], steps: tuple[str, ...], status: str
) -> None:
    run(SPLIT, *steps)
    reports.recommendation = "continue"
    judge(store, "test", PUBLISHED)
    assert look(store) == (status, None, None, [100])
    reports.labelled, reports.recommendation = 101, "ship"
    for _ in range(3):
        judge(store, "test", PUBLISHED)
    assert look(store) == (status, "ship", None, [100, 101])
    assert log(store, "verdict") == ["ship: Made up."]


@pytest.mark.parametrize("steps", [(), ("stop", "archive")])
def test_an_experiment_that_takes_no_labels_is_not(
    store: Store, reports: Reports, run: Callable[..., None], steps: tuple[str, ...]
) -> None:
    run(SPLIT, *steps)
    if not steps:
        with store.write() as connection:
            experiments.change(connection, 1, status="draft")
    judge(store, "test", PUBLISHED)
    assert look(store)[1:] == (None, None, [])


@pytest.mark.parametrize(("recommendation", "promoted"), [("ship", "dropout"), ("roll_back", None)])
def test_a_verdict_is_acted_on_where_control_is_the_default(
    store: Store, reports: Reports, run: Callable[..., None], recommendation: str, promoted: str | None
) -> None:
    run(PROMOTE)
    reports.recommendation = recommendation
    judge(store, "test", PUBLISHED)
    assert look(store) == ("stopped", recommendation, promoted, [100])
    assert log(store, "warning") == []


@pytest.mark.parametrize("recommendation", ["ship", "roll_back"])
def test_a_default_that_was_not_compared_is_not_displaced(
    store: Store, reports: Reports, run: Callable[..., None], recommendation: str,
) -> None:  # fmt: skip
    """The default has changed since the start; what another one is worth, the experiment does not know."""
    run(PROMOTE)
    with store.write() as connection:
        promotions.promote(connection, "dropout", "somebody", None)
    reports.recommendation = recommendation
    for _ in range(3):
        judge(store, "test", PUBLISHED)
    assert look(store) == ("running", recommendation, "dropout", [100])
    assert log(store, "warning") == [f"Control 'plain' is not the default variant, which is 'dropout': {KEPT}"]


def test_the_manifests_default_counts_where_nothing_is_promoted(
    store: Store, reports: Reports, run: Callable[..., None]
) -> None:
    run(PROMOTE)
    judge(store, "test", PUBLISHED.model_copy(update={"default": "dropout"}))
    assert look(store) == ("running", "ship", None, [100])


@pytest.mark.parametrize(("step", "status"), [("pause", "paused"), ("stop", "stopped")])
def test_only_a_running_experiment_promotes(
    store: Store, reports: Reports, run: Callable[..., None], step: str, status: str
) -> None:
    run(PROMOTE, step)
    judge(store, "test", PUBLISHED)
    assert look(store) == (status, "ship", None, [100])
    assert log(store, "warning") == [f"The experiment is {status}: its verdict is kept, but promotes nothing."]


def test_after_a_withdrawal_it_is_judged_anew(store: Store, reports: Reports, run: Callable[..., None]) -> None:
    run(SPLIT)
    judge(store, "test", PUBLISHED)
    with store.write() as connection:
        lifecycle.withdraw_verdicts(connection, [1], "its labels were replaced")
    reports.recommendation = "roll_back"
    judge(store, "test", PUBLISHED)
    assert look(store)[1] == "roll_back"
    assert log(store, "verdict") == ["ship: Made up.", "roll_back: Made up."]


def told(store: Store) -> list[str]:
    """Return the types of the experiment's events, the oldest first."""
    with store.read() as connection:
        return [event.type for event in reversed(events.latest(connection, 20)) if event.stream == "test"]


def test_verdicts_promotions_and_withdrawals_are_events(
    store: Store, reports: Reports, run: Callable[..., None]
) -> None:
    run(SPLIT)
    judge(store, "test", PUBLISHED)
    judge(store, "test", PUBLISHED)
    assert told(store) == ["experiment.verdict"]
    with store.write() as connection:
        lifecycle.withdraw_verdicts(connection, [1], "its labels were replaced")
        experiments.change(connection, 1, spec={**experiments.by_id(connection, 1).spec, "on_decision": "promote"})
    judge(store, "test", PUBLISHED)
    assert told(store) == [
        "experiment.verdict",
        "experiment.verdict_withdrawn",
        "experiment.verdict",
        "variant.promoted",
    ]


def test_another_variant_overturns_a_verdict(database_kind: str) -> None:
    verdict, now = ({"recommendation": "ship", "variant": name, "reasons": ["Made up."]} for name in ("dropout", "l2"))
    lost = [{"variant": "dropout", "verdict": "undecided"}, {"variant": "l2", "verdict": "better"}]
    assert overturned(verdict, dict(verdict), lost) is None
    text = "Later labels overturn the verdict 'ship' of dropout: by all labels it is 'ship' of l2. Made up."
    assert overturned(verdict, now, lost) == text
    both = [{**each, "verdict": "better"} for each in lost]
    assert overturned(verdict, now, both) is None  # the other has become the clearer winner of two
    none = {"recommendation": "inconclusive", "variant": None, "reasons": ["Made up."]}
    text = "Later labels overturn the verdict 'inconclusive': by all labels it is 'ship'. Made up."
    assert overturned(none, now, lost) == text
    assert overturned(now, none, lost) is None  # as once all labels that it takes are in


@pytest.mark.parametrize("alarm", ["unhealthy", "guardrail_broken"])
@pytest.mark.parametrize("before", ["continue", "ship"])
def test_an_alarm_is_told_once_a_phase(
    store: Store, reports: Reports, run: Callable[..., None], alarm: str, before: str
) -> None:
    """Also after a verdict, and though it comes and goes."""
    run(SPLIT)
    for recommendation in (before, alarm, "continue", alarm):
        reports.recommendation = recommendation
        judge(store, "test", PUBLISHED)
    assert told(store).count(f"experiment.{alarm}") == 1
    with store.write() as connection:
        lifecycle.reweight(connection, "test", {"plain": 0.75, "dropout": 0.25}, None, BY)
    judge(store, "test", PUBLISHED)
    assert told(store).count(f"experiment.{alarm}") == 2


def test_only_news_is_judged(store: Store, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    run(SPLIT)
    run({**SPLIT, "name": "over"}, "stop")
    judged: list[str] = []
    monkeypatch.setattr(judge_module, "INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(judge_module, "judge", lambda store, name, manifest: judged.append(name))
    under_test, cache = Judge(store), ExperimentCache(store)

    def add(experiment: int, **changes: int) -> None:
        with store.write() as connection:
            counts.add(connection, experiment, 1, {Count(name): n for name, n in changes.items()})

    def seen() -> list[str]:
        judged.clear()
        under_test.judge_all(cache.refresh().watched, PUBLISHED)
        return list(judged)

    assert seen() == ["test", "over"]
    assert seen() == []
    add(2, labels_user=1)
    assert seen() == ["over"]
    add(2, compared=1)  # an arm's answer came late
    assert seen() == ["over"]
    add(2, repeats=1)
    assert seen() == []
    add(2, labels_user=-1, labels_ground_truth=1)  # a label was replaced
    assert seen() == ["over"]
    with store.write() as connection:
        lifecycle.step(connection, "over", "archive", BY)
    add(2, labels_user=1)
    assert seen() == []
    with store.write() as connection:
        lifecycle.reweight(connection, "test", {"plain": 0.75, "dropout": 0.25}, None, BY)
    assert seen() == ["test"]


def test_without_a_manifest_nothing_is_judged(store: Store, reports: Reports, run: Callable[..., None]) -> None:
    run(PROMOTE)
    under_test = Judge(store)
    under_test.judge_all(ExperimentCache(store).refresh().watched, None)
    assert look(store)[1] is None
    under_test.judge_all(ExperimentCache(store).refresh().watched, PUBLISHED)
    assert look(store)[1] == "ship"


def test_a_winner_is_promoted_through_the_api(client: FlaskClient, fake_server: FakeModelServer) -> None:
    fake_server.answer = shifted(fake_server.answer, {"plain"})
    start(client, {**PAIRED, "on_decision": "promote"})
    for number in range(60):  # each image its own, and its request a unit
        image = np.zeros(784, np.uint8)
        image[:3] = 3, 10 * (number % 10), 10 * (number // 10)
        answer = client.post("/predict", data=image.tobytes(), content_type=RAW)
        label_all(client, json_of(answer)["predictions"], "3")
    shown = eventually(lambda: (e := json_of(client.get("/experiments/test"))) and e["status"] == "stopped" and e)
    assert (shown["verdict"]["recommendation"], shown["verdict"]["variant"]) == ("ship", "dropout")
    assert shown["decision"] == shown["verdict"] == report(client)["verdict"]
    assert [(entry["who"], entry["action"]) for entry in shown["log"][2:]] == [
        ("gateway", "verdict"), ("gateway", "stop"),
    ]  # fmt: skip
    eventually(lambda: predict(client, 1)["variant"] == "dropout" and predict(client, 1)["experiment"] is None)
    (promotion,) = json_of(client.get("/variants/promotions"))["promotions"]
    assert promotion["who"] == "gateway"
    assert promotion["reason"].startswith("test: dropout is better than plain")
