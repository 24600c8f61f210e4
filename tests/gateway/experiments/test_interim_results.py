from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from serving.gateway.experiments.judge import judge
from serving.gateway.manifest import Manifest
from serving.gateway.store.store import Store
from serving.gateway.store.tables import phases
from testing.fake_model_server import FakeModelServer, shifted
from testing.manifest import MANIFEST
from testing.traffic import PAIRED, act, label_all, predict, report, start
from testing.waiting import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"]),
    pytest.mark.usefixtures("nobody_else_looks"),
]


def gather(client: FlaskClient, images: int) -> Any:
    """Predict and label images, each a unit, have them judged, and return the report."""
    return tell(client, [predict(client, 3)["predictions"][0] for _ in range(images)])


def tell(client: FlaskClient, predictions: list[Any]) -> Any:
    """Label images, have them judged, and return the report."""
    before = report(client)["counts"]["labelled"]
    label_all(client, predictions, "3")
    eventually(lambda: report(client)["counts"]["labelled"] == before + len(predictions))
    judge(store(client), "test", Manifest.model_validate(MANIFEST))
    return report(client)


def store(client: FlaskClient) -> Store:
    return client.application.extensions["gateway"].experiments.store


def counted(found: Any) -> list[int]:
    return [result["labelled"] for result in found["history"]]


def test_an_interim_result_is_kept_for_a_tenth_more_labels(client: FlaskClient) -> None:
    start(client, PAIRED)
    assert counted(report(client)) == []
    assert counted(gather(client, 20))[-1] == 20
    assert counted(gather(client, 1))[-1] == 20
    found = gather(client, 1)
    assert counted(found)[-1] == 22
    assert counted(found) == sorted(set(counted(found)))


def test_results_on_other_versions_are_left_out(client: FlaskClient) -> None:
    start(client, PAIRED)
    assert counted(gather(client, 5))
    with store(client).write() as connection:
        connection.execute(update(phases).values(epoch=2))
    assert counted(report(client)) == []


def test_an_interim_result_is_that_of_the_report(client: FlaskClient, fake_server: FakeModelServer) -> None:
    fake_server.answer = shifted(fake_server.answer, {"plain"})
    start(client, PAIRED)
    label_all(client, predict(client, 3)["predictions"], "4")  # which plain alone has right
    eventually(lambda: report(client)["counts"]["labelled"] == 1)
    found = gather(client, 40)
    (comparison,) = found["comparisons"]
    result = found["history"][-1]
    assert result["comparisons"] == [{key: comparison[key] for key in ("variant", "diff", "cs", "e_value", "firsts")}]
    assert result["comparisons"][0]["cs"] is not None
    assert result["at"].endswith("Z")
    assert found["verdict"]["labelled"] in counted(found)


@pytest.mark.parametrize("step", ["pause", "stop"])
def test_an_experiment_that_takes_labels_gets_interim_results(client: FlaskClient, step: str) -> None:
    start(client, PAIRED)
    predictions = predict(client, *[3] * 40)["predictions"]
    tell(client, predictions[:20])
    act(client, "test", step)
    assert counted(tell(client, predictions[20:]))[-1] == 40
