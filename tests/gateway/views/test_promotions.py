from typing import Any

import pytest
from flask.testing import FlaskClient

from serving.gateway.access.api_keys import digest
from serving.gateway.store.experiments import logged
from serving.gateway.views.promotions import PromotionsAnswer
from testing.api import ADMIN, json_of
from testing.traffic import predict
from tests.gateway.conftest import MakeClient

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


def post(client: FlaskClient, path: str, **body: Any) -> tuple[int, Any]:
    answer = client.post(f"/variants/{path}", json=body, headers=ADMIN)
    return answer.status_code, json_of(answer)


def test_a_promotion_is_kept_and_taken_back(client: FlaskClient) -> None:
    assert predict(client, 1)["variant"] == "plain"
    status, shown = post(client, "dropout/promote", by="ada", reason="it won")
    PromotionsAnswer.model_validate(shown)
    assert (status, shown["default"], shown["revision"]) == (200, "dropout", 1)
    assert predict(client, 1)["variant"] == "dropout"
    assert json_of(client.get("/variants"))["default"] == "dropout"
    assert post(client, "rollback", reason="it lost")[1]["default"] == "plain"
    assert predict(client, 1)["variant"] == "plain"
    entries = json_of(client.get("/variants/promotions"))["promotions"]
    assert [(e["revision"], e["action"], e["variant"], e["who"], e["reason"]) for e in entries] == [
        (2, "rollback", None, "admin", "it lost"), (1, "promote", "dropout", "ada", "it won"),
    ]  # fmt: skip


def test_a_promotion_names_the_key_that_allowed_it(make_client: MakeClient) -> None:
    client = make_client(api_keys=f"admin:{digest('one')}")
    key = {"Authorization": "Bearer one"}
    assert client.post("/variants/dropout/promote", json={"by": "ada"}, headers=key).status_code == 200
    assert post(client, "rollback", by="ada")[0] == 200
    entries = json_of(client.get("/variants/promotions"))["promotions"]
    assert [(e["who"], e["key"]) for e in entries] == [("ada", "admin"), ("ada", digest("one")[:12])]
    with client.application.extensions["gateway"].experiments.store.read() as connection:
        assert [row.key for row in logged(connection, "dropout")] == [digest("one")[:12], "admin"]


def test_rollbacks_lead_back_step_by_step(client: FlaskClient) -> None:
    for name in ("dropout", "plain", "dropout"):
        post(client, f"{name}/promote")
    defaults = [post(client, "rollback")[1]["default"] for _ in range(3)]
    assert defaults == ["plain", "dropout", "plain"]
    status, problem = post(client, "rollback")
    assert (status, problem["detail"]) == (409, "No promotion is in force, so there is nothing to roll back.")


def test_a_second_promotion_of_the_default_changes_nothing(client: FlaskClient) -> None:
    post(client, "dropout/promote")
    status, shown = post(client, "dropout/promote")
    assert (status, shown["default"], shown["revision"]) == (200, "dropout", 1)
    assert post(client, "rollback")[1]["default"] == "plain"


def test_what_has_changed_meanwhile_is_not_overwritten(client: FlaskClient) -> None:
    assert post(client, "dropout/promote", expected_revision=0)[0] == 200
    status, problem = post(client, "plain/promote", expected_revision=0)
    assert (status, problem["detail"]) == (409, "The default is at revision 1, not 0; look again first.")
    assert post(client, "rollback", expected_revision=1)[0] == 200


def test_an_unknown_variant_is_not_promoted(client: FlaskClient) -> None:
    status, problem = post(client, "l2/promote")
    assert (status, problem["detail"]) == (404, "There is no variant 'l2'; there are plain, dropout.")


def test_a_promotion_outlives_the_gateway(client: FlaskClient, make_client: MakeClient) -> None:
    post(client, "dropout/promote")
    assert predict(make_client(), 1)["variant"] == "dropout"
