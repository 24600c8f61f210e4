"""Simulate experiments with known error rates, through the WSGI application."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from flask.testing import FlaskClient

from serving.gateway.inference.tf_serving import wire_pb2 as wire
from testing.api import json_of
from testing.fake_model_server import CLASSES, FakeModelServer, put
from testing.traffic import PAIRED, RAW, report, start
from testing.waiting import eventually

ARMS = ("plain", "dropout")  # control and challenger, whose labels are the first and the second pixel


class Rates(NamedTuple):
    """The shares of images with an error of control alone, of the challenger alone, and of both."""

    control: float
    challenger: float
    both: float


def answer(request: wire.PredictRequest) -> wire.PredictResponse:
    """Answer with the label in the model's pixel."""
    tensor = request.inputs["images"]
    images = np.frombuffer(tensor.tensor_content, np.uint8).reshape(tensor.tensor_shape.dim[0].size, -1)
    response = wire.PredictResponse(model_spec=request.model_spec)
    response.model_spec.version.value = 1
    put(response, "probabilities", np.eye(CLASSES)[images[:, ARMS.index(request.model_spec.name)]])
    return response


def simulate(
    client: FlaskClient, server: FakeModelServer, rates: Rates, experiments: int, images: int, batch: int, seed: int
) -> Iterator[list[str]]:
    """Run paired experiments side by side; yield their recommendations after each batch of images."""
    server.answer = answer
    rng = np.random.default_rng(seed)
    names = [f"run_{number}" for number in range(experiments)]
    for name in names:
        start(client, {**PAIRED, "name": name, "margin": 1e-9})
    for done in range(batch, images + 1, batch):
        for name in names:
            _send(client, name, rates, batch, rng)
        reports = [_counted(client, name, done) for name in names]
        yield [found["decision"]["recommendation"] for found in reports]


def _send(client: FlaskClient, name: str, rates: Rates, count: int, rng: np.random.Generator) -> None:
    """Send images and their true labels."""
    truth = rng.integers(CLASSES, size=count)
    kind = rng.choice(4, size=count, p=[*rates, 1 - sum(rates)])
    wrong = np.isin(kind, (0, 2)), np.isin(kind, (1, 2))
    pixels = np.zeros((count, 784), np.uint8)
    for arm in range(len(ARMS)):
        pixels[:, arm] = (truth + wrong[arm]) % CLASSES
    asked = client.post(f"/predict?experiment={name}", data=pixels.tobytes(), content_type=RAW)
    items = [
        {"prediction_id": prediction["id"], "label": str(label), "source": "ground_truth"}
        for prediction, label in zip(json_of(asked)["predictions"], truth.tolist(), strict=True)
    ]
    assert client.post("/feedback", json={"items": items}).status_code == 200


def _counted(client: FlaskClient, name: str, labels: int) -> Any:
    """Return the report once it holds all labels and all arms' answers."""
    return eventually(lambda: (found := report(client, name))["counts"]["labelled"] == labels and found)
