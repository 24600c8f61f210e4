from pathlib import Path

import pytest
from flask.testing import FlaskClient

from serving.gateway.inference.tf_serving import wire_pb2 as wire
from serving.gateway.telemetry import fresh
from testing.api import json_of
from testing.fake_model_server import FakeModelServer
from testing.waiting import eventually


def test_ready_when_every_variant_answers(client: FlaskClient) -> None:
    assert json_of(client.get("/readyz")) == {"status": "ready"}


def test_not_ready_while_a_variant_is_missing(client: FlaskClient, fake_server: FakeModelServer) -> None:
    fake_server.models.remove("dropout")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert json_of(answer)["errors"] == [
        {
            "pointer": "/variants/dropout",
            "detail": "UNREACHABLE The model server has not loaded variant 'dropout'; try again shortly.",
        }
    ]


def test_not_ready_while_models_are_loading(client: FlaskClient, fake_server: FakeModelServer) -> None:
    fake_server.state = wire.ModelVersionStatus.LOADING
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert json_of(answer)["detail"] == "Not ready: /variants/plain is LOADING; /variants/dropout is LOADING"


def test_variants_are_not_asked_again_while_the_answer_is_fresh(
    client: FlaskClient, fake_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh, "FRESH_SECONDS", 1e9)
    assert client.get("/readyz").status_code == 200
    fake_server.models.remove("dropout")
    assert client.get("/readyz").status_code == 200


def test_it_is_noticed_that_a_variant_has_gone(client: FlaskClient, fake_server: FakeModelServer) -> None:
    assert client.get("/readyz").status_code == 200
    fake_server.models.remove("dropout")
    eventually(lambda: client.get("/readyz").status_code == 503)


def test_not_ready_without_a_manifest_but_alive(client: FlaskClient, manifest_folder: Path) -> None:
    manifest = manifest_folder / "manifest.json"
    manifest.rename(manifest_folder / "away")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert json_of(answer)["detail"].startswith(f"{manifest} does not exist; the training job writes it")
    assert json_of(client.get("/healthz")) == {"status": "alive"}
    (manifest_folder / "away").rename(manifest)
    eventually(lambda: client.get("/readyz").status_code == 200)  # a failure is kept for a moment


def test_metrics_count_requests_by_variant_version_and_status(client: FlaskClient) -> None:
    client.post("/predict?variant=dropout", data=bytes(2 * 784), content_type="application/octet-stream")
    client.post("/predict?variant=gone", data=bytes(784), content_type="application/octet-stream")
    client.get("/made/up/path")
    lines = set(client.get("/metrics").text.splitlines())
    assert 'gateway_requests_total{path="/predict",status="200",variant="dropout",version="7"} 1.0' in lines
    assert 'gateway_requests_total{path="/predict",status="404",variant="",version=""} 1.0' in lines
    assert 'gateway_requests_total{path="other",status="404",variant="",version=""} 1.0' in lines
    assert 'gateway_request_images_sum{variant="dropout",version="7"} 2.0' in lines
    assert 'gateway_request_seconds_count{path="/predict",variant="dropout",version="7"} 1.0' in lines
