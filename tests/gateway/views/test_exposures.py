from typing import Any

from flask.testing import FlaskClient

from serving.gateway.views.exposures import ReportedExposure
from testing.api import ADMIN, json_of
from testing.traffic import PAIRED, SPLIT, act, label, report, start

URL = "/experiments/test/exposures"


def send(client: FlaskClient, *items: dict[str, Any]) -> Any:
    answer = client.post(URL, json={"items": items}, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    client.application.extensions["gateway"].experiments.recorder.close()
    return json_of(answer)["items"]


def arms(client: FlaskClient) -> list[dict[str, Any]]:
    return report(client)["arms"]


def test_exposures_and_labels_from_elsewhere_count(client: FlaskClient) -> None:
    start(client, {**SPLIT, "guardrails": [{"metric": "slow", "margin": 1, "threshold_ms": 100}]})
    units = [f"unit {number}" for number in range(20)]
    taken = send(client, *({"unit": unit, "label": "7", "milliseconds": 9.5} for unit in units))
    flags = [client.post("/ofrep/v1/evaluate/flags/test", json={"context": {"targetingKey": unit}}) for unit in units]
    assert [each["variant"] for each in taken] == [json_of(flag)["variant"] for flag in flags]
    for each in taken:
        truth = "7" if each["variant"] == "plain" else "1"
        assert label(client, each["prediction_id"], truth) == 201
    shown = {arm["variant"]: (arm["units"], arm["n"], arm["accuracy"]) for arm in arms(client)}
    plain = sum(each["variant"] == "plain" for each in taken)
    assert shown == {"plain": (plain, plain, 1.0), "dropout": (20 - plain, 20 - plain, 0.0)}


def test_a_failed_arm_counts_and_has_no_id(client: FlaskClient) -> None:
    start(client)
    [taken] = send(client, {"unit": "ada", "milliseconds": 50})
    assert taken["prediction_id"] is None
    assert {arm["variant"]: arm["error_rate"] for arm in arms(client)}[taken["variant"]] == 1.0


def test_the_same_image_counts_once(client: FlaskClient) -> None:
    start(client)
    items = [{"unit": str(unit), "label": "7", "image": "digest"} for unit in range(3)]
    for each in send(client, *items):
        assert label(client, each["prediction_id"], "7") == 201
    assert sum(arm["n"] for arm in arms(client)) == 1


def test_a_unit_outside_of_the_experiment_is_not_exposed(client: FlaskClient) -> None:
    start(client, {**SPLIT, "traffic": 0.000001})
    assert send(client, {"unit": "ada", "label": "7"}) == [{"variant": "plain", "prediction_id": None}]
    assert [arm["units"] for arm in arms(client)] == [0, 0]


def test_a_report_of_the_arm_before_new_weights_does_not_count(client: FlaskClient) -> None:
    start(client)
    [asked] = send(client, {"unit": "ada", "label": "7"})
    other = ({"plain", "dropout"} - {asked["variant"]}).pop()
    units = {arm["variant"]: arm["units"] for arm in arms(client)}
    assert send(client, {"unit": "bob", "label": "7", "variant": "l2"})[0]["prediction_id"] is None
    assert send(client, {"unit": "ada", "label": "7", "variant": other}) == [{**asked, "prediction_id": None}]
    assert {arm["variant"]: arm["units"] for arm in arms(client)} == units
    assert send(client, {"unit": "ada", "label": "7", "variant": asked["variant"]})[0]["prediction_id"]


def test_a_report_that_cannot_count_is_refused(client: FlaskClient) -> None:
    def refused(url: str = URL, **item: Any) -> tuple[int, str]:
        answer = client.post(url, json={"items": [{"unit": "ada", "label": "7", **item}]}, headers=ADMIN)
        return answer.status_code, json_of(answer)["detail"]

    start(client, {**PAIRED, "name": "paired"})
    start(client)
    assert refused("/experiments/nothing/exposures") == (
        404,
        "There is no experiment 'nothing'; there are paired, test.",
    )
    assert refused("/experiments/paired/exposures") == (
        409, "Experiment 'paired' is paired: the gateway asks its arms itself. Report to one that is not.",
    )  # fmt: skip
    assert refused(label="x") == (422, "/items/0/label: There is no class 'x'; there are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9.")
    act(client, "test", "pause")
    assert refused() == (409, "Experiment 'test' is paused; it takes exposures while it runs.")


def test_a_thousand_exposures_with_all_members_are_taken_at_once(client: FlaskClient) -> None:
    start(client)
    members = {"variant": "plain", "label": "7", "milliseconds": 9.5}
    items = [{"unit": str(unit), "image": str(unit), **members} for unit in range(1000)]
    assert items[0].keys() == ReportedExposure.model_fields.keys()
    assert len(send(client, *items)) == 1000
