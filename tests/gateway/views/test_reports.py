import pytest
from flask.testing import FlaskClient

from testing.api import json_of
from testing.fake_model_server import FakeModelServer, shifted
from testing.traffic import PAIRED, act, label, predict, start
from testing.waiting import eventually

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


def waiting(client: FlaskClient) -> int:
    """Return how many images are said to want a label, where only one is asked for."""
    return json_of(client.get("/experiments/test/disagreements?limit=1"))["waiting"]


def test_the_queue_tells_its_length_until_the_experiment_takes_no_labels(
    client: FlaskClient, fake_server: FakeModelServer
) -> None:
    fake_server.answer = shifted(fake_server.answer, {"dropout"})
    start(client, PAIRED)
    predictions = predict(client, 3, 4, 5)["predictions"]
    eventually(lambda: waiting(client) == 3)
    assert label(client, predictions[1]["id"], "4") == 201
    assert waiting(client) == 2
    act(client, "test", "stop")
    assert waiting(client) == 2
    act(client, "test", "archive")
    assert waiting(client) == 0
