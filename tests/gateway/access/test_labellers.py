"""Labels by source and credential: the status of each pair."""

import itertools
from typing import Any

import pytest
from flask.testing import FlaskClient

from serving.gateway.access.api_keys import digest
from testing.api import ADMIN, ADMIN_TOKEN, json_of
from testing.traffic import label, predict
from tests.gateway.conftest import MakeClient

KEYS = f"read:{digest('client')},label:{digest('labeller')}"
SOURCES = ("user", "audit", "ground_truth")
CREDENTIALS = {
    "none": {},
    "unknown": {"Authorization": "Bearer guess"},
    "another scheme": {"Authorization": f"Basic {ADMIN_TOKEN}"},
    "empty": {"Authorization": "Bearer"},
    "no ASCII": {"Authorization": "Bearer \xe9"},
    "client": {"Authorization": "Bearer client"},
    "labeller": {"Authorization": "Bearer labeller"},
    "administrator": ADMIN,
}
REFUSED = {
    **dict.fromkeys(("none", "unknown", "another scheme", "empty", "no ASCII"), 401),
    "client": 403,
}
REMEDY = "GATEWAY_ADMIN_TOKEN, or with a key that 'make api-key ARGS=\"--scope label\"' makes."
DETAILS = {
    401: "A label of source '{}' needs the header 'Authorization: Bearer TOKEN' with " + REMEDY,
    403: "This key may not send labels of source '{}'. Send them with " + REMEDY,
}


def expected(source: str, credential: str) -> int:
    """Return the status of a label where no key is needed to send one of source `user`."""
    return 201 if source == "user" else REFUSED.get(credential, 201)


@pytest.fixture
def client(make_client: MakeClient) -> FlaskClient:
    return make_client(api_keys=KEYS)


def ids(client: FlaskClient, count: int) -> list[str]:
    """Return the ids of predictions, whatever keys there are."""
    client.environ_base["HTTP_AUTHORIZATION"] = ADMIN["Authorization"]
    made = [each["id"] for each in predict(client, *[3] * count)["predictions"]]
    del client.environ_base["HTTP_AUTHORIZATION"]
    return made


def item(prediction_id: str, source: str) -> dict[str, Any]:
    return {"prediction_id": prediction_id, "label": "3", "source": source}


@pytest.mark.parametrize(("source", "credential"), [*itertools.product(SOURCES, CREDENTIALS)])
def test_a_label_is_taken_from_those_who_may_send_it(client: FlaskClient, source: str, credential: str) -> None:
    [each] = ids(client, 1)
    status = expected(source, credential)
    answer = client.post("/feedback", json=item(each, source), headers=CREDENTIALS[credential])
    assert (answer.status_code, json_of(answer).get("status")) == (status, status)
    assert answer.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
    if status in DETAILS:
        assert json_of(answer)["detail"] == DETAILS[status].format(source)
        assert label(client, each, "3", source) == 201  # nothing was stored


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_each_of_many_labels_is_answered_by_itself(client: FlaskClient, credential: str) -> None:
    made = ids(client, 6)
    sources = [*SOURCES, *SOURCES]
    items = [item(each, source) for each, source in zip(made, sources, strict=True)]
    answer = client.post("/feedback", json={"items": items}, headers=CREDENTIALS[credential])
    statuses = [expected(source, credential) for source in sources]
    answers = json_of(answer)["items"]
    assert answer.status_code == 200
    assert [(each["prediction_id"], each["status"]) for each in answers] == list(zip(made, statuses, strict=True))
    for each, source in zip(answers, sources, strict=True):
        assert DETAILS.get(each["status"], each["detail"]).format(source) == each["detail"]
    again = client.post("/feedback", json={"items": items}, headers=ADMIN)
    assert [each["status"] for each in json_of(again)["items"]] == [200 if s == 201 else 201 for s in statuses]


@pytest.mark.parametrize(
    ("api_keys", "status"), [("", 201), (f"label:{digest('labeller')}", 201), (digest("client"), 401)]
)
def test_labels_of_users_want_what_predictions_want(make_client: MakeClient, api_keys: str, status: int) -> None:
    client = make_client(api_keys=api_keys)
    [each] = ids(client, 1)
    assert client.post("/feedback", json=item(each, "user")).status_code == status
    assert client.post("/feedback", json=item(each, "audit")).status_code == 401
    if status == 401:
        assert client.post("/feedback", json=item(each, "user"), headers=CREDENTIALS["client"]).status_code == 201
        assert client.post("/feedback", json=item(each, "audit"), headers=CREDENTIALS["client"]).status_code == 403


@pytest.mark.parametrize(
    ("credential", "key"), [("none", None), ("labeller", digest("labeller")[:12]), ("administrator", "admin")]
)
def test_a_label_names_the_key_of_its_sender(client: FlaskClient, credential: str, key: str | None) -> None:
    [each] = ids(client, 1)
    assert client.post("/feedback", json=item(each, "user"), headers=CREDENTIALS[credential]).status_code == 201
    [given] = json_of(client.get(f"/feedback/{each}", headers=ADMIN))["labels"]
    assert (given["source"], given["key"]) == ("user", key)


def test_no_administrators_token_is_no_empty_one(make_client: MakeClient) -> None:
    client = make_client(admin_token="")
    [each] = ids(client, 1)
    for headers in (CREDENTIALS["none"], CREDENTIALS["empty"]):
        assert client.post("/feedback", json=item(each, "audit"), headers=headers).status_code == 401
    answer = client.post("/experiments", json={}, headers=CREDENTIALS["empty"])
    assert answer.status_code == 401
