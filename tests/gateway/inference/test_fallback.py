"""Another variant answers for a failing one that the caller has not chosen."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from serving.gateway.store.tables import exposures
from serving.gateway.web.answers import PredictAnswer
from testing.api import ADMIN, json_of
from testing.fake_model_server import FakeModelServer
from testing.manifest import MANIFEST, variant
from testing.traffic import start
from testing.waiting import eventually
from tests.gateway.conftest import MakeClient

RAW = "application/octet-stream"
NOT_LOADED = "The model server has not loaded variant 'dropout'; try again shortly."


def rows(client: FlaskClient) -> Any:
    with client.application.extensions["gateway"].experiments.store.read() as connection:
        return connection.execute(exposures.select()).all()


@pytest.fixture
def promoted(client: FlaskClient, fake_server: FakeModelServer) -> FlaskClient:
    """A gateway whose promoted default variant is not loaded."""
    assert client.post("/variants/dropout/promote", json={}, headers=ADMIN).status_code == 200
    fake_server.models.remove("dropout")
    return client


def test_the_manifests_default_stands_in_for_a_promoted_one(promoted: FlaskClient) -> None:
    for _ in range(5):  # also when the circuit is open
        answer = promoted.post("/predict", data=bytes(784), content_type=RAW)
        read = PredictAnswer.model_validate_json(answer.data)
        assert (answer.status_code, read.variant, answer.headers["X-Variant"]) == (200, "plain", "plain")
        assert read.fallback and read.fallback.instead_of == answer.headers["X-Fallback-For"] == "dropout"
        assert read.fallback.reason.endswith(NOT_LOADED)


def test_another_stands_in_for_a_default_that_is_not_loaded_yet(
    client: FlaskClient, fake_server: FakeModelServer
) -> None:
    fake_server.models.remove("plain")
    for _ in range(5):  # also when the circuit is open
        answer = client.post("/predict", data=bytes(784), content_type=RAW)
        assert (answer.status_code, answer.headers["X-Variant"]) == (200, "dropout")
        assert answer.headers["X-Fallback-For"] == "plain"


def test_nobody_stands_in_for_a_variant_that_was_chosen(promoted: FlaskClient) -> None:
    answer = promoted.post("/predict?variant=dropout", data=bytes(784), content_type=RAW)
    assert (answer.status_code, json_of(answer)["detail"]) == (503, NOT_LOADED)


def test_the_first_error_is_told_where_the_default_fails_too(
    promoted: FlaskClient, fake_server: FakeModelServer
) -> None:
    fake_server.models.clear()
    answer = promoted.post("/predict", data=bytes(784), content_type=RAW)
    assert (answer.status_code, json_of(answer)["detail"]) == (503, NOT_LOADED)


def test_an_answer_says_that_nobody_stood_in(client: FlaskClient) -> None:
    answer = client.post("/predict", data=bytes(784), content_type=RAW)
    assert json_of(answer)["fallback"] is None and "X-Fallback-For" not in answer.headers


def test_control_stands_in_for_an_arm(client: FlaskClient, fake_server: FakeModelServer) -> None:
    start(client)
    fake_server.models.remove("dropout")
    for unit in range(10):
        answer = client.post("/predict", data=bytes(784), content_type=RAW, headers={"X-Unit-Id": f"unit {unit}"})
        said = json_of(answer)
        assert (said["variant"], said["experiment"]) == ("plain", "test")
        if said["fallback"]:
            assert said["fallback"]["instead_of"] == "dropout" and said["fallback"]["reason"].endswith(NOT_LOADED)
    eventually(lambda: len(rows(client)) == 10)
    assert [row.failed for row in rows(client)].count(True) > 0


def test_the_default_stands_in_where_no_arm_answers(
    make_client: MakeClient, manifest_folder: Path, fake_server: FakeModelServer
) -> None:
    variants = [variant(name) for name in ("plain", "dropout", "spare")]
    (manifest_folder / "manifest.json").write_text(json.dumps({**MANIFEST, "default": "spare", "variants": variants}))
    client = make_client()
    start(client)
    fake_server.models = {"spare"}
    said = json_of(client.post("/predict", data=bytes(784), content_type=RAW))
    assert (said["variant"], said["experiment"]) == ("spare", None)
    assert said["fallback"]["instead_of"] in ("plain", "dropout")
    eventually(lambda: rows(client))
    assert [(row.served, row.failed) for row in rows(client)] == [(None, True)]
