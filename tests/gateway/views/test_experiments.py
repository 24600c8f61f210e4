from typing import Any

import pytest
from flask.testing import FlaskClient

from serving.gateway.access.api_keys import digest
from serving.gateway.experiments import cache
from serving.gateway.web.experiment_answers import ExperimentAnswer
from testing.api import ADMIN, json_of
from testing.traffic import RAW, SPLIT, act, predict, report, start
from testing.waiting import PATIENCE
from tests.gateway.conftest import MakeClient

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


def shown(client: FlaskClient) -> Any:
    return json_of(client.get("/experiments/test"))


def test_an_experiment_goes_through_its_life(client: FlaskClient) -> None:
    start(client)
    assert predict(client, 1)["experiment"] == "test"
    assert act(client, "test", "pause", reason="lunch", by="ada")["status"] == "paused"
    assert predict(client, 1)["experiment"] is None
    assert act(client, "test", "resume")["status"] == "running"
    assert predict(client, 1)["experiment"] == "test"
    stopped = act(client, "test", "stop", reason="enough")
    assert (stopped["status"], stopped["reason"], stopped["decision"]["recommendation"]) == (
        "stopped",
        "enough",
        "continue",
    )
    assert predict(client, 1)["experiment"] is None
    archived = act(client, "test", "archive")
    ExperimentAnswer.model_validate(archived)
    assert [(entry["who"], entry["action"], entry["reason"]) for entry in archived["log"]] == [
        ("admin", "create", None), ("admin", "start", None), ("ada", "pause", "lunch"), ("admin", "resume", None),
        ("admin", "stop", "enough"), ("admin", "archive", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "refused", "detail"),
    [
        ((), "pause", "is draft, so pause is not possible; possible: start or archive."),
        ((), "stop", "is draft, so stop is not possible; possible: start or archive."),
        (
            ("start",),
            "start",
            "is running, so start is not possible; possible: pause or stop.",
        ),
        (
            ("start", "stop"),
            "resume",
            "is stopped, so resume is not possible; possible: archive.",
        ),
        (
            ("archive",),
            "start",
            "is archived, so start is not possible; no step is possible any more.",
        ),
    ],
)
def test_a_step_that_does_not_lead_on_is_refused(
    client: FlaskClient, steps: tuple[str, ...], refused: str, detail: str
) -> None:
    client.post("/experiments", json=SPLIT, headers=ADMIN)
    for step in steps:
        act(client, "test", step)
    answer = client.post(f"/experiments/test/{refused}", headers=ADMIN)
    assert (answer.status_code, json_of(answer)["detail"]) == (409, f"Experiment 'test' {detail}")


def test_other_weights_open_a_phase_with_other_arms_for_its_units(client: FlaskClient) -> None:
    start(client)
    units = [f"unit {n}" for n in range(40)]
    before = [predict(client, 1, unit=unit)["variant"] for unit in units]
    assert before == [predict(client, 1, unit=unit)["variant"] for unit in units]
    changed = act(client, "test", "weights", weights={"plain": 0.5, "dropout": 0.5}, reason="again")
    assert (changed["phase"], [phase["weights"] for phase in changed["phases"]]) == (2, [[0.5, 0.5]] * 2)
    assert before != [predict(client, 1, unit=unit)["variant"] for unit in units]
    assert report(client)["phase"] == 2


@pytest.mark.parametrize(
    ("weights", "status", "detail"),
    [
        ({"plain": 1.0}, 422, "Give a weight to each of the arms plain, dropout, and to no other."),
        ({"plain": 0.5, "dropout": 0.4}, 422, "These weights cannot be used: the weights add up to 0.9 instead of 1."),
        ({"plain": 2, "dropout": 0}, 422, "/weights/plain: Input should be less than or equal to 1."),
    ],
)
def test_weights_that_share_out_nothing_are_refused(
    client: FlaskClient, weights: dict[str, float], status: int, detail: str
) -> None:
    start(client)
    answer = client.post("/experiments/test/weights", json={"weights": weights}, headers=ADMIN)
    assert (answer.status_code, json_of(answer)["detail"]) == (status, detail)


def test_a_draft_has_no_weights_to_change(client: FlaskClient) -> None:
    client.post("/experiments", json=SPLIT, headers=ADMIN)
    answer = client.post("/experiments/test/weights", json={"weights": {"plain": 1.0}}, headers=ADMIN)
    assert json_of(answer)["detail"] == "Experiment 'test' is draft; weights change while it is running or paused."


@pytest.mark.parametrize(
    ("changes", "status", "detail"),
    [
        ({"control": "l2"}, 422, "The body: control 'l2' is not among the arms plain, dropout."),
        ({"hypothesis": "\0"}, 422, "/hypothesis: String should match pattern '^[^\\x00]*$'."),
        ({"name": "Test!"}, 422, "/name: String should match pattern '^[a-z0-9_]+$'."),
        ({"arms": [{"variant": "plain", "weight": 0.5}, {"variant": "l2", "weight": 0.5}]}, 422,
         "/arms/1/variant: There is no variant 'l2'; there are plain, dropout."),
    ],
)  # fmt: skip
def test_an_experiment_that_cannot_be_is_refused(
    client: FlaskClient, changes: dict[str, Any], status: int, detail: str
) -> None:
    answer = client.post("/experiments", json={**SPLIT, **changes}, headers=ADMIN)
    assert (answer.status_code, json_of(answer)["detail"]) == (status, detail)


def test_a_name_is_given_once(client: FlaskClient) -> None:
    assert client.post("/experiments", json=SPLIT, headers=ADMIN).status_code == 201
    answer = client.post("/experiments", json=SPLIT, headers=ADMIN)
    assert answer.status_code == 409
    assert json_of(answer)["detail"] == "An experiment 'test' exists already; choose another name."
    assert [each["name"] for each in json_of(client.get("/experiments"))["experiments"]] == ["test"]


def test_the_first_started_takes_the_traffic_and_others_are_named(client: FlaskClient) -> None:
    start(client)
    start(client, {**SPLIT, "name": "second"})
    assert predict(client, 1)["experiment"] == "test"
    assert predict(client, 1, query="?experiment=second")["experiment"] == "second"
    assert predict(client, 1, query="?experiment=second&variant=plain")["experiment"] is None
    act(client, "test", "stop")
    assert predict(client, 1)["experiment"] == "second"
    assert predict(client, 1, query="?experiment=test")["experiment"] is None


def test_a_start_elsewhere_is_looked_up_by_the_request_that_names_it(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "REFRESH_SECONDS", PATIENCE)  # nobody learns of it otherwise
    here, elsewhere = make_client(), make_client()
    assert predict(elsewhere, 1)["experiment"] is None
    unknown = {"data": bytes(784), "content_type": RAW}
    assert elsewhere.post("/predict?experiment=test", **unknown).status_code == 404
    start(here)
    assert predict(elsewhere, 1, query="?experiment=test&variant=plain")["experiment"] is None
    assert predict(elsewhere, 1)["experiment"] is None
    assert predict(elsewhere, 1, query="?experiment=test")["experiment"] == "test"
    assert predict(elsewhere, 1)["experiment"] == "test"
    answer = elsewhere.post("/predict?experiment=summer", **unknown)
    assert (answer.status_code, json_of(answer)["detail"]) == (404, "There is no experiment 'summer'; there are test.")


def test_a_start_notes_versions_and_warns_that_nothing_will_be_promoted(client: FlaskClient) -> None:
    assert client.post("/variants/dropout/promote", headers=ADMIN).status_code == 200
    client.post("/experiments", json={**SPLIT, "on_decision": "promote"}, headers=ADMIN)
    started = act(client, "test", "start")
    (phase,) = started["phases"]
    assert (phase["epoch"], phase["versions"]) == (1, [7, 7])
    assert (started["log"][-1]["who"], started["log"][-1]["action"]) == ("gateway", "warning")
    assert "nothing" in started["log"][-1]["reason"]


@pytest.mark.parametrize("path", ["", "/report", "/disagreements"])
def test_an_unknown_experiment_names_what_exists(client: FlaskClient, path: str) -> None:
    client.post("/experiments", json=SPLIT, headers=ADMIN)
    answer = client.get(f"/experiments/summer{path}")
    assert (answer.status_code, json_of(answer)["detail"]) == (404, "There is no experiment 'summer'; there are test.")


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {ADMIN['Authorization'][7:]}"}]
)
@pytest.mark.parametrize(
    "path",
    [
        "/experiments",
        "/experiments/test/start",
        "/experiments/test/weights",
        "/variants/plain/promote",
        "/variants/rollback",
    ],
)
def test_only_administrators_change_anything(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    answer = client.post(path, json=SPLIT, headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "GATEWAY_ADMIN_TOKEN" in json_of(answer)["detail"]


@pytest.mark.parametrize("by", ["gateway", " Gateway "])
@pytest.mark.parametrize("path", ["/experiments/test/start", "/experiments/test/weights", "/variants/plain/promote"])
def test_nobody_acts_in_the_gateways_name(client: FlaskClient, path: str, by: str) -> None:
    body = {"by": by, **({"weights": {"plain": 1}} if "weights" in path else {})}
    answer = client.post(path, json=body, headers=ADMIN)
    assert (answer.status_code, json_of(answer)["errors"][0]["pointer"]) == (422, "/by")
    assert "'gateway' is the author of what the gateway does by itself" in json_of(answer)["detail"]


def test_the_log_names_the_key_that_allowed_a_change(make_client: MakeClient) -> None:
    client = make_client(api_keys=f"admin:{digest('one')}")
    key = {"Authorization": "Bearer one"}
    assert client.post("/experiments", json={**SPLIT, "on_decision": "promote"}, headers=ADMIN).status_code == 201
    assert client.post("/variants/dropout/promote", headers=key).status_code == 200
    answer = client.post("/experiments/test/start", json={"by": "ada"}, headers=key)
    ExperimentAnswer.model_validate(json_of(answer))
    assert [(entry["action"], entry["who"], entry["key"]) for entry in json_of(answer)["log"]] == [
        ("create", "admin", "admin"), ("start", "ada", digest("one")[:12]), ("warning", "gateway", None),
    ]  # fmt: skip


def test_without_a_token_nobody_is_an_administrator(make_client: MakeClient) -> None:
    answer = make_client(admin_token="").post("/experiments", json=SPLIT, headers={"Authorization": "Bearer "})
    assert answer.status_code == 401
    assert json_of(answer)["detail"].startswith("Nobody may do this: the gateway has no GATEWAY_ADMIN_TOKEN")


def test_sampling_takes_no_part_in_experiments(client: FlaskClient) -> None:
    start(client)
    assert predict(client, 1, query="?uncertainty=true&variant=dropout")["experiment"] is None
    answer = client.post(
        "/predict?uncertainty=true&experiment=test", data=bytes(784), content_type="application/octet-stream"
    )
    assert (answer.status_code, json_of(answer)["detail"]) == (
        422, "An experiment compares answers without sampling: leave out experiment or uncertainty.",
    )  # fmt: skip


@pytest.mark.parametrize("path", ["%00", "%00/report", "x/disagreements?limit=0", "x" * 65])
def test_a_path_or_query_that_cannot_be_is_refused(client: FlaskClient, path: str) -> None:
    assert client.get(f"/experiments/{path}").status_code == 422
