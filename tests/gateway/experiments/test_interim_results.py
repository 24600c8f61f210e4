from typing import Any

import pytest
from flask.testing import FlaskClient

from serving.gateway.experiments.judge import judge
from serving.gateway.store.store import Store
from testing.fake_model_server import FakeModelServer, shifted
from testing.traffic import PAIRED, act, label, predict, report, start
from testing.waiting import eventually

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"]),
    pytest.mark.usefixtures("nobody_else_looks"),
]


def gather(client: FlaskClient, images: int) -> Any:
    """Ask about so many images, label them all, have the evidence looked at, and return the report."""
    return tell(client, predict(client, *[3] * images)["predictions"])


def tell(client: FlaskClient, predictions: list[Any]) -> Any:
    """Label images, have the evidence looked at, and return the report."""
    before = report(client)["counts"]["labelled"]
    for each in predictions:
        label(client, each["id"], "3")
    eventually(lambda: report(client)["counts"]["labelled"] == before + len(predictions))
    judge(store(client), "test")
    return report(client)


def store(client: FlaskClient) -> Store:
    return client.application.extensions["gateway"].experiments.store


def counted(found: Any) -> list[int]:
    return [look["labelled"] for look in found["history"]]


def test_a_look_is_kept_for_a_tenth_more_labels(client: FlaskClient) -> None:
    start(client, PAIRED)
    assert counted(report(client)) == []
    assert counted(gather(client, 20))[-1] == 20
    assert counted(gather(client, 1))[-1] == 20
    found = gather(client, 1)
    assert counted(found)[-1] == 22
    assert counted(found) == sorted(set(counted(found)))


def test_a_look_says_what_the_report_said(client: FlaskClient, fake_server: FakeModelServer) -> None:
    fake_server.answer = shifted(fake_server.answer, {"plain"})
    start(client, PAIRED)
    found = gather(client, 40)
    (comparison,) = found["comparisons"]
    look = found["history"][-1]
    assert look["comparisons"] == [{key: comparison[key] for key in ("variant", "diff", "cs", "e_value")}]
    assert look["comparisons"][0]["cs"] is not None
    assert look["at"].endswith("Z")
    assert found["verdict"]["labelled"] in counted(found)


def test_what_is_not_running_is_not_looked_at(client: FlaskClient) -> None:
    start(client, PAIRED)
    predictions = predict(client, *[3] * 40)["predictions"]
    tell(client, predictions[:20])
    act(client, "test", "pause")
    assert counted(tell(client, predictions[20:]))[-1] == 20
