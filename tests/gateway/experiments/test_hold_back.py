from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from serving.gateway.store import experiments
from serving.gateway.store.store import Store
from testing.api import ADMIN, json_of
from testing.fake_model_server import FakeModelServer, shifted
from testing.traffic import PAIRED, SPLIT, act, label_all, predict, report, start
from testing.trials import Trial, spec
from testing.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])]
HELD = "test_hold_back"
PROMOTES = {**PAIRED, "on_decision": "promote", "hold_back": 0.5}


def shown(client: FlaskClient, name: str = HELD) -> Any:
    return json_of(client.get(f"/experiments/{name}"))


def told(client: FlaskClient) -> list[str]:
    """Return the types of the events, the oldest first."""
    return [event["type"] for event in reversed(json_of(client.get("/events"))["events"])]


def default(client: FlaskClient) -> str:
    return json_of(client.get("/variants/promotions"))["default"]


def send(client: FlaskClient, images: int) -> list[Any]:
    """Send images, each a unit; label them rightly; return the answers."""
    answers = [predict(client, 3) for _ in range(images)]
    label_all(client, [answer["predictions"][0] for answer in answers], "3")
    return answers


def promoted(client: FlaskClient, fake_server: FakeModelServer, **changes: Any) -> Callable[[set[str]], None]:
    """Run an experiment until `dropout` is promoted; return a function that says which variants are wrong now."""
    honest = fake_server.answer

    def make_wrong(variants: set[str]) -> None:
        fake_server.answer = shifted(honest, variants)

    make_wrong({"plain"})
    start(client, {**PROMOTES, **changes})
    send(client, 30)
    eventually(lambda: shown(client, "test")["status"] == "stopped", "the promotion")
    make_wrong(set())
    return make_wrong


def test_a_promotion_holds_some_traffic_back(client: FlaskClient, fake_server: FakeModelServer) -> None:
    promoted(client, fake_server)
    made = shown(client)
    assert (made["status"], made["follows"], made["traffic"], made["paired"]) == ("running", "test", 0.5, True)
    assert [(arm["variant"], arm["weight"]) for arm in made["arms"]] == [("dropout", 0), ("plain", 1)]

    def answered_by() -> set[tuple[str, str | None]]:
        seen = [predict(client, 3) for _ in range(40)]
        return {(each["variant"], each["experiment"]) for each in seen}

    eventually(lambda: answered_by() == {("plain", HELD), ("dropout", None)}, "the experiment's end, and its hold-back")
    found = eventually(lambda: (r := report(client, HELD))["counts"]["compared"] and r)
    assert found["regression"]["e_value"] == pytest.approx(1)
    assert found["decision"]["recommendation"] == "continue"
    (listed,) = (each for each in json_of(client.get("/experiments"))["experiments"] if each["name"] == HELD)
    assert listed["follows"] == "test"


@pytest.mark.parametrize("does", ["notify", "roll_back"])
def test_a_promoted_variant_that_turns_worse_is_told_and_rolled_back_where_asked(
    client: FlaskClient, fake_server: FakeModelServer, does: str
) -> None:
    make_wrong = promoted(client, fake_server, on_regression=does)
    make_wrong({"dropout"})
    eventually(lambda: send(client, 10) and shown(client)["verdict"], "the verdict")
    verdict = shown(client)["verdict"]
    assert (verdict["recommendation"], verdict["variant"]) == ("regression", "plain")
    assert verdict["reasons"][0].startswith("dropout has become worse than plain, which it displaced: roll back. plain")
    rolled_back = does == "roll_back"
    eventually(lambda: default(client) == ("plain" if rolled_back else "dropout"), "the default variant")
    assert shown(client)["status"] == ("stopped" if rolled_back else "running")
    assert told(client) == [
        "experiment.verdict", "variant.promoted", "experiment.rollback_proposed",
        *["variant.rolled_back"] * rolled_back,
    ]  # fmt: skip


def test_a_promoted_variant_that_stays_better_is_left_alone(client: FlaskClient, fake_server: FakeModelServer) -> None:
    make_wrong = promoted(client, fake_server, on_regression="roll_back")
    make_wrong({"plain"})
    eventually(lambda: send(client, 10) and report(client, HELD)["counts"]["labelled_disagreements"] >= 20)
    found = report(client, HELD)
    assert found["comparisons"][0]["significant"]
    assert (found["decision"]["recommendation"], found["verdict"]) == ("continue", None)
    assert default(client) == "dropout"


def test_labels_without_a_regression_end_it(store: Store) -> None:
    trial = Trial(store, spec(0, 1, paired=True, max_labels=100))
    with store.write() as connection:
        experiments.change(connection, trial.row().id, follows=trial.row().id)
    ids = trial.send([1] * 100, [("1", "1")] * 100)
    trial.label(dict.fromkeys(ids[1:], "1"))
    assert (trial.judge(), trial.row().status) == (None, "running")
    trial.label(dict.fromkeys(ids[:1], "1"))
    assert (trial.judge(), trial.row().status) == ("inconclusive", "stopped")
    assert trial.row().reason.startswith("All 100 labels of the experiment's budget are in")
    assert trial.row().decision == trial.row().verdict


@pytest.mark.parametrize(("alive", "recommendation"), [(True, "regression"), (False, "continue")])
def test_an_old_default_that_others_answer_for_is_nothing_to_go_back_to(
    store: Store, alive: bool, recommendation: str
) -> None:
    trial = Trial(store, spec(0, 1, paired=True))
    with store.write() as connection:
        experiments.change(connection, trial.row().id, follows=trial.row().id)
    ids = trial.send([1] * 40, [("1", "7")] * 40)
    trial.label(dict.fromkeys(ids, "7"))
    trial.send([1] * 10, [("1", "1" if alive else None)] * 10)
    assert trial.report()["decision"]["recommendation"] == recommendation


def test_another_promotion_or_a_rollback_ends_it(client: FlaskClient, fake_server: FakeModelServer) -> None:
    promoted(client, fake_server)
    client.post("/variants/rollback", json={}, headers=ADMIN)
    ended = shown(client)
    assert (ended["status"], ended["reason"]) == ("stopped", "The promotion was rolled back.")


def test_none_is_made_where_none_is_wanted(client: FlaskClient, fake_server: FakeModelServer) -> None:
    promoted(client, fake_server, hold_back=0)
    assert client.get(f"/experiments/{HELD}").status_code == 404


def test_a_promotion_by_hand_may_name_the_experiment(client: FlaskClient) -> None:
    start(client, SPLIT)
    act(client, "test", "stop")
    wrong = client.post("/variants/plain/promote", json={"experiment": "test"}, headers=ADMIN)
    assert wrong.status_code == 409
    assert "it holds nothing back where 'plain' displaces the default variant 'plain'" in json_of(wrong)["detail"]
    assert client.post("/variants/dropout/promote", json={"experiment": "none"}, headers=ADMIN).status_code == 404
    assert client.post("/variants/dropout/promote", json={"experiment": "test"}, headers=ADMIN).status_code == 200
    assert (shown(client)["status"], shown(client)["traffic"]) == ("running", 0.05)
    again = client.post("/variants/dropout/promote", json={"experiment": "test"}, headers=ADMIN)
    assert again.status_code == 409
    assert client.post("/variants/dropout/promote", json={}, headers=ADMIN).status_code == 200
    assert shown(client)["status"] == "running"  # nothing was promoted


def test_a_promotion_by_hand_ends_the_experiment_that_it_names(client: FlaskClient) -> None:
    """Its units would go on to get control, and all of them an arm of its weights."""
    start(client, SPLIT)
    body = {"experiment": "test", "by": "ada", "reason": "it won"}
    assert client.post("/variants/dropout/promote", json=body, headers=ADMIN).status_code == 200
    ended = json_of(client.get("/experiments/test"))
    assert (ended["status"], ended["reason"], ended["decision"]["recommendation"]) == ("stopped", "it won", "continue")
    assert shown(client)["status"] == "running"


def test_the_old_default_is_promoted_from_its_hold_back(client: FlaskClient) -> None:
    start(client, SPLIT)
    assert client.post("/variants/dropout/promote", json={"experiment": "test"}, headers=ADMIN).status_code == 200
    back = client.post("/variants/plain/promote", json={"experiment": HELD}, headers=ADMIN)
    assert (back.status_code, json_of(back)["default"], shown(client)["status"]) == (200, "plain", "stopped")


def test_late_labels_that_overturn_a_verdict_are_told(client: FlaskClient, fake_server: FakeModelServer) -> None:
    """The experiment is over, and its labels go on counting."""
    honest = fake_server.answer
    start(client, {**PROMOTES, "hold_back": 0})
    fake_server.answer = shifted(honest, {"dropout"})
    late = [predict(client, 3)["predictions"][0] for _ in range(80)]
    eventually(lambda: report(client)["counts"]["compared"] == 80)
    fake_server.answer = shifted(honest, {"plain"})
    send(client, 15)
    eventually(lambda: shown(client, "test")["status"] == "stopped", "the promotion")
    assert report(client)["overturned"] is None
    label_all(client, late, "3")
    eventually(lambda: "experiment.verdict_overturned" in told(client), "the event")
    found = report(client)
    assert found["overturned"].startswith("Later labels overturn the verdict 'ship': by all labels it is 'roll_back'.")
    assert found["notes"][0] == found["overturned"]
    assert found["decision"]["recommendation"] == "ship"  # it was acted on
    assert told(client).count("experiment.verdict_overturned") == 1
