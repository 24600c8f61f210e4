from typing import Any

import pytest
from flask.testing import FlaskClient

from serving.gateway.experiments.judge import judge
from testing.api import json_of
from testing.fake_model_server import FakeModelServer, shifted
from testing.traffic import PAIRED, label_all, predict, report, start
from testing.waiting import eventually

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


def gather(client: FlaskClient, fake_server: FakeModelServer, wrong: str, **changes: Any) -> None:
    """Run a paired experiment with one arm always wrong, until the evidence is overwhelming."""
    fake_server.answer = shifted(fake_server.answer, {wrong})
    start(client, {**PAIRED, **changes})
    label_all(client, predict(client, *[3] * 20)["predictions"], "3")
    eventually(lambda: report(client)["comparisons"][0]["significant"])


def test_a_winner_is_promoted_where_that_was_asked_for(client: FlaskClient, fake_server: FakeModelServer) -> None:
    gather(client, fake_server, "plain", on_decision="promote")
    shown = eventually(lambda: (e := json_of(client.get("/experiments/test"))) and e["status"] == "stopped" and e)
    assert (shown["verdict"]["recommendation"], shown["verdict"]["variant"]) == ("ship", "dropout")
    assert shown["decision"] == shown["verdict"]
    assert [(entry["who"], entry["action"]) for entry in shown["log"][2:]] == [
        ("gateway", "verdict"),
        ("gateway", "stop"),
    ]
    eventually(lambda: predict(client, 1)["variant"] == "dropout" and predict(client, 1)["experiment"] is None)
    (promotion,) = json_of(client.get("/variants/promotions"))["promotions"]
    assert promotion["who"] == "gateway"
    assert promotion["reason"].startswith("test: dropout is better than plain by 100.00 percentage points")


def test_a_loser_leaves_the_default_alone(client: FlaskClient, fake_server: FakeModelServer) -> None:
    gather(client, fake_server, "dropout", on_decision="promote")
    eventually(lambda: report(client)["status"] == "stopped")
    assert report(client)["verdict"]["recommendation"] == "roll_back"
    assert json_of(client.get("/variants/promotions"))["promotions"] == []


def test_without_being_asked_nothing_is_done_but_the_verdict_stands(
    client: FlaskClient, fake_server: FakeModelServer
) -> None:
    gather(client, fake_server, "plain")
    eventually(lambda: report(client)["verdict"])
    label_all(client, predict(client, *[4] * 100)["predictions"], "5")  # now the other arm alone is right
    found = eventually(lambda: (r := report(client))["comparisons"][0]["only_control_right"] == 100 and r)
    assert found["comparisons"][0]["verdict"] == "worse"
    assert (found["status"], found["decision"]["recommendation"]) == ("running", "ship")


def test_a_verdict_is_kept_once(client: FlaskClient, fake_server: FakeModelServer) -> None:
    gather(client, fake_server, "plain")
    store = client.application.extensions["gateway"].experiments.store
    for _ in range(3):
        judge(store, "test")
    assert [e["action"] for e in json_of(client.get("/experiments/test"))["log"]].count("verdict") == 1
