from typing import Any

import pytest
from flask.testing import FlaskClient

from serving.gateway.views.planning import PlanAnswer
from testing.api import ADMIN, json_of
from testing.fake_model_server import FakeModelServer, shifted
from testing.traffic import PAIRED, SPLIT, label_as, predict, report, start
from testing.waiting import eventually

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
QUICK = {"runs": 100, "max_labels": 1000}


def plan(client: FlaskClient, **body: Any) -> tuple[int, Any]:
    answer = client.post("/experiments/plan", json={**QUICK, **body}, headers=ADMIN)
    return answer.status_code, json_of(answer)


def test_a_plan_is_answered(client: FlaskClient) -> None:
    status, found = plan(client, control_error=0.01, variant_error=0.007, disagreement=0.009)
    assert status == 200
    assert PlanAnswer.model_validate(found).images.median
    assert (found["design"], set(found["days"].values())) == ("paired", {None})


def test_no_experiment_is_called_plan(client: FlaskClient) -> None:
    refused = client.post("/experiments", json={**SPLIT, "name": "plan"}, headers=ADMIN)
    assert (refused.status_code, json_of(refused)["errors"][0]["pointer"]) == (422, "/name")
    assert client.get("/experiments/plan").status_code == 405
    assert set(client.options("/experiments/plan").allow) == {"OPTIONS", "POST"}


def test_a_pilot_fills_in_what_is_not_given(client: FlaskClient, fake_server: FakeModelServer) -> None:
    fake_server.answer = shifted(fake_server.answer, {"dropout"})  # dropout says the next digit
    start(client, PAIRED)
    ids = [each["id"] for _ in range(3) for each in predict(client, 3, 3, 3, 3)["predictions"]]
    eventually(lambda: report(client)["counts"]["compared"] == 12)
    label_as(client, ids[:8], ["3"] * 2 + ["4"] * 4 + ["9"] * 2)
    _, found = plan(client, pilot="test")
    rates = found["rates"]
    assert (found["design"], found["images_per_unit"], rates["disagreement"]) == ("paired", 4, 1)
    assert rates["only_variant_right"] == pytest.approx(0.5)
    assert rates["only_control_right"] == pytest.approx(0.25)
    assert found["images_per_day"] > 1000
    assert 0 < found["label_delay_days"] < 0.01
    _, other = plan(client, pilot="test", images_per_day=10, control_error=0.5, variant_error=0.5, disagreement=0.3)
    assert (other["images_per_day"], other["rates"]["only_variant_right"]) == (10, pytest.approx(0.15))


def test_an_unpaired_pilot_tells_error_rates(client: FlaskClient) -> None:
    start(client)
    made = [predict(client, 3) for _ in range(20)]
    truth = ["3", "4"]
    label_as(client, [each["predictions"][0]["id"] for each in made], [truth[n % 2] for n in range(20)])
    _, found = plan(client, pilot="test")
    arms = {arm["variant"]: arm for arm in report(client)["arms"]}
    assert found["design"] == "unpaired"
    assert found["rates"]["control_error"] == pytest.approx(1 - arms["plain"]["accuracy"])
    assert found["rates"]["variant_error"] == pytest.approx(1 - arms["dropout"]["accuracy"])


def test_an_unpaired_pilot_tells_the_images_of_a_unit(client: FlaskClient) -> None:
    start(client)
    for unit in range(20):
        of_unit = [predict(client, 3, 3, unit=str(unit))["predictions"][0]["id"] for _ in range(3)]
        label_as(client, of_unit[:1], ["34"[unit % 2]])
    eventually(lambda: plan(client, pilot="test")[1]["images_per_unit"] == 6, "the requests of all units")


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"pilot": "none_such"}, 404, "There is no experiment 'none_such'; there are test."),
        ({"pilot": "test", "variant": "l2"}, 404, "The pilot 'test' compares no 'l2' with control; it has dropout."),
        ({"pilot": "test"}, 422, "or a pilot with labelled disagreements"),
        ({"control_error": 0.1, "variant_error": 0.1, "disagreement": 1e-300}, 422, "cannot be told apart"),
        (
            {"control_error": 0.01, "variant_error": 0.007, "disagreement": 0.001},
            422,
            "/disagreement: 0.001 is too low",
        ),
        ({"control_error": 1.5}, 422, "/control_error: Input should be less than or equal to 1."),
        ({"runs": 100_000}, 422, "/runs: Input should be less than or equal to 1000."),
    ],
)
def test_a_bad_plan_is_told_what_is_wrong(client: FlaskClient, body: dict[str, Any], status: int, text: str) -> None:
    start(client, PAIRED)
    answered, found = plan(client, **body)
    assert answered == status
    assert text in found["detail"]
