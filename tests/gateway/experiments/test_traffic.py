"""Experiments from request to report, through the WSGI application, on both databases."""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from serving.gateway.inference import breaker
from serving.gateway.store import counts
from serving.gateway.store.counts import Count
from serving.gateway.store.store import Store
from serving.gateway.store.tables import exposures
from testing.api import ADMIN, json_of
from testing.fake_model_server import FakeModelServer, shifted
from testing.manifest import MANIFEST, variant
from testing.recount import kept, problems
from testing.traffic import (
    PAIRED,
    RAW,
    SPLIT,
    act,
    images,
    label,
    predict,
    report,
    start,
)
from testing.waiting import PATIENCE, eventually
from tests.gateway.conftest import MakeClient

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])]


def store_of(client: FlaskClient) -> Store:
    return client.application.extensions["gateway"].experiments.store


def rows(client: FlaskClient) -> Any:
    with store_of(client).read() as connection:
        return connection.execute(exposures.select()).all()


@pytest.mark.parametrize("spec", [SPLIT, PAIRED])
def test_counters_are_what_a_recount_gives(
    client: FlaskClient, fake_server: FakeModelServer, spec: dict[str, Any]
) -> None:
    fake_server.answer = shifted(fake_server.answer, {"dropout"})
    rng = random.Random(5)
    start(client, spec)
    asked = 0
    for number in range(60):
        if number == 30:
            act(client, "test", "weights", weights={"plain": 0.75, "dropout": 0.25})
        answer = predict(client, *rng.choices(range(10), k=rng.randint(1, 4)), unit=f"unit {rng.randrange(25)}")
        asked += len(answer["predictions"])
        for each in answer["predictions"]:
            if rng.random() < 0.6:
                source = rng.choice(["user", "audit", "ground_truth"])
                assert label(client, each["id"], str(rng.randrange(10)), source) == 201
    eventually(lambda: len(rows(client)) == 60)
    with store_of(client).read() as connection:
        assert problems(connection, 1) == []
        assert set(kept(connection, 1)) == {1, 2}
    shown = report(client)["counts"]
    assert shown["compared"] == shown["disagreements"] == (asked if spec.get("paired") else 0)


def test_a_units_first_label_counts(client: FlaskClient) -> None:
    start(client)
    first, second = (predict(client, 3, 4, unit="one")["predictions"] for _ in range(2))
    assert [label(client, each["id"], "3") for each in (*first, *second)] == [201] * 4
    found = report(client)
    assert (found["counts"]["units"], found["counts"]["labelled"], found["labels"]["ground_truth"]) == (1, 1, 4)
    assert sum(arm["n"] for arm in found["arms"]) == 1
    assert {arm["accuracy"] for arm in found["arms"] if arm["n"]} == {1.0}


def test_a_label_may_come_before_its_exposure_and_before_other_arms(
    client: FlaskClient, fake_server: FakeModelServer
) -> None:
    start(client, {**PAIRED, "arms": [{"variant": "plain", "weight": 1}, {"variant": "dropout", "weight": 0}]})
    released = threading.Event()
    honest = fake_server.answer

    def hold(request: Any) -> Any:
        if request.model_spec.name == "dropout":
            released.wait(PATIENCE)
        return honest(request)

    fake_server.answer = hold
    prediction = predict(client, 3)["predictions"][0]["id"]
    assert label(client, prediction, "3") == 201
    assert (report(client)["counts"]["compared"], report(client)["arms"][0]["n"]) == (0, 0)
    released.set()
    eventually(lambda: report(client)["counts"]["compared"] == 1)
    assert [arm["accuracy"] for arm in report(client)["arms"]] == [1.0, 1.0]
    assert json_of(client.get("/experiments/test/disagreements"))["disagreements"] == []


@pytest.mark.parametrize(("weights", "counted"), [((0.5, 0.5), 1), ((0.75, 0.25), 0), ((1, 0), 0)])
def test_volunteered_labels_count_where_serving_was_randomised(
    client: FlaskClient, weights: tuple[float, float], counted: int
) -> None:
    arms = [{"variant": name, "weight": weight} for name, weight in zip(("plain", "dropout"), weights, strict=True)]
    start(client, {**PAIRED, "arms": arms})
    assert label(client, predict(client, 3)["predictions"][0]["id"], "3", "user") == 201
    eventually(lambda: report(client)["counts"]["compared"] == 1)
    found = report(client)
    assert (found["counts"]["labelled"], found["labels"]["user"]) == (counted, 1)


def test_a_unit_that_comes_in_two_phases_is_waited_for_once(client: FlaskClient) -> None:
    start(client, {**SPLIT, "min_units": 5})

    def waits() -> Any:
        return report(client)["maturity"]["waits"]

    for weights in ({"plain": 0.5, "dropout": 0.5}, {"plain": 0.25, "dropout": 0.75}):
        act(client, "test", "weights", weights=weights)
        for unit in range(4):
            predict(client, 3, unit=str(unit))
    eventually(lambda: report(client)["counts"]["units"] == 8)
    assert (waits()["units"], waits()["reason"]) == (
        4, "It is too early for a verdict: 4 of 5 units have been exposed.",
    )  # fmt: skip
    predict(client, 3, unit="another")
    eventually(lambda: waits()["reason"] is None)


def test_latencies_of_background_requests_are_shown_apart(client: FlaskClient) -> None:
    start(client, {**PAIRED, "arms": [{"variant": "plain", "weight": 1}, {"variant": "dropout", "weight": 0}]})
    predict(client, 3)
    eventually(lambda: report(client)["counts"]["compared"] == 1)
    found = report(client)
    assert all(arm["p50_ms"] > 0 for arm in found["arms"])
    said = "The latencies of dropout are those of background requests, which wait for each other."
    assert [note for note in found["notes"] if "latencies" in note] == [said]


def test_an_arm_that_fails_is_stood_in_for_and_blamed(client: FlaskClient, fake_server: FakeModelServer) -> None:
    start(client)
    fake_server.models.remove("dropout")
    answers = [predict(client, 3, unit=f"unit {n}") for n in range(30)]
    assert {answer["variant"] for answer in answers} == {"plain"}
    assert {answer["experiment"] for answer in answers} == {"test"}
    eventually(lambda: len(rows(client)) == 30)
    assert {(row.assigned, row.served, row.failed) for row in rows(client)} == {(0, 0, False), (1, 0, True)}
    assert [arm["error_rate"] for arm in report(client)["arms"]] == [0.0, 1.0]


def test_a_default_that_answers_for_both_arms_is_a_stand_in(
    make_client: MakeClient, manifest_folder: Path, fake_server: FakeModelServer
) -> None:
    three = {**MANIFEST, "variants": [variant(name) for name in ("plain", "dropout", "l2")]}
    (manifest_folder / "manifest.json").write_text(json.dumps(three))
    fake_server.models.add("l2")
    client, arms = make_client(), [{"variant": name, "weight": 0.5} for name in ("dropout", "l2")]
    start(client, {**SPLIT, "control": "dropout", "arms": arms})
    for name in ("dropout", "l2"):
        fake_server.models.remove(name)
    assert {predict(client, 3, unit=f"unit {n}")["variant"] for n in range(20)} == {"plain"}
    eventually(lambda: len(rows(client)) == 20)
    found = report(client)
    assert sum(arm["stand_ins"] for arm in found["arms"]) == 20
    assert found["checks"]["stand_ins"] == {"share": 1.0, "most": 0.02, "ok": False}


def test_a_dead_arm_breaks_its_guardrail_by_the_calls_that_are_made(
    client: FlaskClient, fake_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The circuit breaker refuses most calls, and lets one through now and then."""
    monkeypatch.setattr(breaker, "MOMENT_SECONDS", 0.05)
    start(client, {**SPLIT, "guardrails": [{"metric": "error_rate", "margin": 0.5}]})
    fake_server.models.remove("dropout")

    def made() -> int:
        return sum(request.model_spec.name == "dropout" for request in fake_server.requests)

    def counted() -> list[int]:
        with store_of(client).read() as connection:
            tally = counts.read(connection, 1)[1]
        return [tally[Count(name, 1)] for name in ("failures", "calls", "case_failed")]

    def broken_and_refused() -> bool:
        for _ in range(20):
            predict(client, 3)
        return report(client)["guardrails"][0]["state"] == "broken" and counted()[0] > made()

    eventually(broken_and_refused)
    failures, calls, cases = counted()
    assert 0 < cases == calls <= made() < failures


def test_when_no_arm_answers_the_client_is_told_and_the_failure_counted(
    client: FlaskClient, fake_server: FakeModelServer
) -> None:
    start(client, {**PAIRED, "guardrails": [{"metric": "error_rate", "margin": 0.5}]})
    fake_server.fault = lambda context: context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
    answer = client.post("/predict", data=images(3), content_type=RAW)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    eventually(lambda: rows(client))
    assert [(row.served, row.failed) for row in rows(client)] == [(None, True)]
    assert [arm["error_rate"] for arm in report(client)["arms"]] == [1.0, 1.0]


def test_disagreements_come_in_an_order_of_their_own_and_leave_with_a_trusted_label(
    client: FlaskClient, fake_server: FakeModelServer
) -> None:
    unsure = shifted(fake_server.answer, {"dropout"}, {digit: 0.2 + digit / 20 for digit in range(10)})
    fake_server.answer = unsure
    start(client, PAIRED)
    ids = {each["id"]: each["label"] for each in predict(client, *range(10))["predictions"]}

    def queue(query: str = "") -> list[Any]:
        return json_of(client.get(f"/experiments/test/disagreements{query}", headers=ADMIN))["disagreements"]

    eventually(lambda: len(queue()) == 10)
    order = [each["prediction_id"] for each in queue()]
    assert set(order) == set(ids)
    sure = [min(answer["confidence"] for answer in each["answers"]) for each in queue()]
    assert sure not in (sorted(sure), sorted(sure, reverse=True))
    assert label(client, order[3], "5", "user") == 201
    assert len(queue()) == 10
    assert label(client, order[3], "5", "audit") == 201
    assert [each["prediction_id"] for each in queue()] == order[:3] + order[4:]
    (shown,) = queue("?limit=1")
    assert [answer["variant"] for answer in shown["answers"]] == ["plain", "dropout"]
    assert shown["seen"].startswith("data:image/png;base64,")


@contextmanager
def no_store() -> Iterator[None]:
    """Fail every transaction of this process, as a database that is gone does."""

    def fail(connection: Connection) -> None:
        raise OperationalError("BEGIN", {}, ConnectionError("the database is gone"))

    event.listen(Engine, "begin", fail)
    try:
        yield
    finally:
        event.remove(Engine, "begin", fail)


def test_predictions_go_on_when_the_store_is_gone(make_client: MakeClient) -> None:
    client = make_client()
    start(client)
    known = predict(client, 3)
    eventually(lambda: len(rows(client)) == 1)
    with no_store():
        answers = [predict(client, 3, unit="one") for _ in range(5)]
        assert {answer["experiment"] for answer in answers} == {"test"}
        refused = client.post("/feedback", json={"prediction_id": known["predictions"][0]["id"], "label": "3"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert client.get("/experiments/test/report").status_code == 503
    eventually(lambda: len(rows(client)) == 6)
    assert [label(client, answer["predictions"][0]["id"], "3") for answer in answers] == [201] * 5


def test_without_the_store_a_request_that_names_an_experiment_is_answered_as_before(client: FlaskClient) -> None:
    start(client)
    act(client, "test", "pause")
    with no_store():
        assert predict(client, 1, query="?experiment=test")["experiment"] is None
        assert client.post("/predict?experiment=summer", data=images(1), content_type=RAW).status_code == 404
