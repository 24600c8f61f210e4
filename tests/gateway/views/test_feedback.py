import itertools
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from serving.gateway.views.feedback import FeedbackAnswer, FeedbackAnswers, LabelsAnswer
from testing.api import ADMIN, json_of
from testing.traffic import PAIRED, SPLIT, act, label, predict, report, start
from tests.gateway.conftest import MakeClient

RANKS = ["user", "audit", "ground_truth"]

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


def send(client: FlaskClient, body: Any) -> tuple[int, Any]:
    answer = client.post("/feedback", json=body, headers=ADMIN)
    return answer.status_code, json_of(answer)


def new_id(client: FlaskClient) -> str:
    return predict(client, 3)["predictions"][0]["id"]


def history(client: FlaskClient, prediction_id: str) -> Any:
    answer = client.get(f"/feedback/{prediction_id}")
    assert answer.status_code == 200, answer.text
    LabelsAnswer.model_validate_json(answer.data)
    return json_of(answer)


@pytest.mark.parametrize("source", RANKS)
@pytest.mark.parametrize("spec", [None, SPLIT, PAIRED])
def test_the_first_label_of_a_rank_is_stored_and_stays(
    client: FlaskClient, spec: dict[str, Any] | None, source: str
) -> None:
    if spec:
        start(client, spec)
    item = {"prediction_id": new_id(client), "label": "3", "source": source}
    status, answer = send(client, item)
    FeedbackAnswer.model_validate(answer)
    assert (status, answer) == (201, {**answer, "prediction_id": item["prediction_id"], "status": 201})
    assert "kept" not in answer
    assert send(client, item)[0] == 200
    status, answer = send(client, {**item, "label": "4"})
    assert status == 409
    assert "'3'" in answer["detail"]


@pytest.mark.parametrize(("lower", "higher"), [*itertools.combinations(RANKS, 2)])
@pytest.mark.parametrize("label", ["3", "4"])
def test_a_label_of_higher_rank_replaces_one_of_lower_rank(
    client: FlaskClient, lower: str, higher: str, label: str
) -> None:
    start(client, PAIRED)
    item = {"prediction_id": new_id(client), "label": "3", "source": lower}
    assert send(client, item)[0] == 201
    assert send(client, {**item, "label": label, "source": higher})[0] == 201
    assert send(client, {**item, "label": label, "source": higher})[0] == 200
    found = history(client, item["prediction_id"])
    assert (found["label"], found["source"]) == (label, higher)
    assert [(each["source"], each["label"]) for each in found["labels"]] == [(higher, label), (lower, "3")]


@pytest.mark.parametrize(("lower", "higher"), [*itertools.combinations(RANKS, 2)])
@pytest.mark.parametrize("label", ["3", "4"])
def test_a_label_of_lower_rank_is_told_which_source_stays(
    client: FlaskClient, lower: str, higher: str, label: str
) -> None:
    start(client, PAIRED)
    item = {"prediction_id": new_id(client), "label": "3", "source": higher}
    assert send(client, item)[0] == 201
    status, answer = send(client, {**item, "label": label, "source": lower})
    FeedbackAnswer.model_validate(answer)
    assert (status, answer["status"], answer["kept"]) == (200, 200, higher)
    [many] = send(client, {"items": [{**item, "label": label, "source": lower}]})[1]["items"]
    assert (many["status"], many["kept"]) == (200, higher)
    found = history(client, item["prediction_id"])
    assert (found["label"], found["source"]) == ("3", higher)


@pytest.mark.parametrize("source", RANKS)
def test_that_nobody_can_read_an_image_is_a_label(client: FlaskClient, source: str) -> None:
    start(client, PAIRED)
    item = {"prediction_id": new_id(client), "label": "unreadable", "source": source}
    assert [send(client, item)[0], send(client, item)[0], send(client, {**item, "label": "3"})[0]] == [201, 200, 409]
    assert history(client, item["prediction_id"])["label"] == "unreadable"


def test_a_prediction_has_no_labels_at_first(client: FlaskClient) -> None:
    prediction = new_id(client)
    assert history(client, prediction) == {"prediction_id": prediction, "label": None, "source": None, "labels": []}


@pytest.mark.parametrize(
    ("prediction_id", "status", "detail"),
    [
        ("made-up", 404, "There is no prediction 'made-up'; /predict answers with ids."),
        ("%00", 422, "/path/prediction_id: String should match pattern"),
        ("x" * 4001, 422, "/path/prediction_id: String should have at most 4000 characters."),
    ],
)
def test_the_labels_of_no_prediction_are_a_problem(
    client: FlaskClient, prediction_id: str, status: int, detail: str
) -> None:
    answer = client.get(f"/feedback/{prediction_id}")
    assert answer.status_code == status
    assert json_of(answer)["detail"].startswith(detail)


@pytest.mark.parametrize(
    ("changes", "status", "detail"),
    [
        ({"label": "10"}, 422, re.compile(r"There is no class '10'; .*0, 1, 2, 3, 4, 5, 6, 7, 8, 9\b.*unreadable")),
        ({"prediction_id": "made up"}, 404, "There is no prediction 'made up'; /predict answers with ids."),
        ({"source": "rumour"}, 422, "/source: Input should be 'user', 'audit' or 'ground_truth'."),
        ({"label": 3}, 422, "/label: Input should be a valid string."),
    ],
)
def test_bad_feedback_is_told_what_is_wrong(
    client: FlaskClient, changes: dict[str, Any], status: int, detail: str | re.Pattern[str]
) -> None:
    found, answer = send(client, {"prediction_id": new_id(client), "label": "3", **changes})
    assert found == status
    assert answer["detail"] == detail if isinstance(detail, str) else detail.match(answer["detail"])


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ("{", 400, "The body is not JSON: EOF while parsing an object at line 1 column 1."),
        ('{"items": []}', 422, "/items: List should have at least 1 item after validation, not 0."),
        ("[]", 422, None),
    ],
)
def test_a_body_that_is_no_feedback_is_refused(client: FlaskClient, body: str, status: int, detail: str | None) -> None:
    answer = client.post("/feedback", data=body, content_type="application/json")
    assert answer.status_code == status
    assert detail in (None, json_of(answer)["detail"])


def test_other_content_types_are_refused(client: FlaskClient) -> None:
    assert client.post("/feedback", data="{}").status_code == 415
    assert client.post("/feedback", json={}, headers={"Content-Encoding": "gzip"}).status_code == 415


def test_a_thousand_items_are_answered_one_by_one(client: FlaskClient) -> None:
    start(client, PAIRED)
    ids = [p["id"] for _ in range(2) for p in predict(client, *[1] * 500)["predictions"]]
    items = [{"prediction_id": each, "label": "1", "source": "ground_truth"} for each in ids[:997]]
    items += [{**items[0]}, {**items[1], "label": "2"}, {**items[2], "prediction_id": "x"}]
    status, answer = send(client, {"items": items})
    FeedbackAnswers.model_validate(answer)
    assert (status, [item["status"] for item in answer["items"]]) == (200, [201] * 997 + [200, 409, 404])
    assert [item["status"] for item in send(client, {"items": items})[1]["items"]] == [200] * 998 + [409, 404]
    assert send(client, {"items": [*items, items[0]]})[0] == 422


def test_labels_are_taken_until_the_experiment_is_archived(client: FlaskClient) -> None:
    start(client)
    ids = [predict(client, 3)["predictions"][0]["id"] for _ in range(3)]
    for step, each in zip(("pause", "stop"), ids, strict=False):
        act(client, "test", step)
        assert label(client, each, "3") == 201
    act(client, "test", "archive")
    status, answer = send(client, {"prediction_id": ids[2], "label": "3"})
    assert status == 409
    assert answer["detail"] == "The experiment of this prediction is archived and takes no more labels."
    assert report(client)["labels"] == {"ground_truth": 2, "audit": 0, "user": 0}


def test_ids_are_those_of_one_store(client: FlaskClient, make_client: MakeClient, tmp_path: Any) -> None:
    other = make_client(database_url=f"sqlite:///{tmp_path}/other.db")
    assert label(client, predict(other, 3)["predictions"][0]["id"], "3") == 404


def test_labels_survive_a_restart(make_client: MakeClient) -> None:
    before = make_client()
    start(before)
    prediction = predict(before, 3)["predictions"][0]["id"]
    assert label(before, prediction, "3") == 201
    after = make_client()
    assert [label(after, prediction, "3"), label(after, prediction, "4")] == [200, 409]
