"""Simulate experiments with known error rates, through the WSGI application."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from flask.testing import FlaskClient

from serving.gateway.inference.tf_serving import wire_pb2 as wire
from testing.asgi import predict_all
from testing.fake_model_server import CLASSES, Answer, FakeModelServer, put
from testing.traffic import PAIRED, label_as, report, start
from testing.waiting import eventually

ARMS = ("plain", "dropout")  # control and challenger, whose labels are the first and the second pixel


class Rates(NamedTuple):
    """The shares of images with an error of control alone, of the challenger alone, and of both."""

    control: float
    challenger: float
    both: float


def answering(arms: Sequence[str], version: int = 7) -> Answer:
    """Return an answer with the label in the model's pixel; the first pixels are those of `arms`."""

    def answer(request: wire.PredictRequest) -> wire.PredictResponse:
        tensor = request.inputs["images"]
        images = np.frombuffer(tensor.tensor_content, np.uint8).reshape(tensor.tensor_shape.dim[0].size, -1)
        response = wire.PredictResponse(model_spec=request.model_spec)
        response.model_spec.version.value = version
        put(response, "probabilities", np.eye(CLASSES)[images[:, arms.index(request.model_spec.name)]])
        return response

    return answer


answer = answering(ARMS)  # in the version of the manifest


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
    """Send images and their true labels; each one that tells the arms apart is a unit, the others are one.

    Images on which the arms agree are no evidence for either, so it does not matter whose they are.
    """
    truth = rng.integers(CLASSES, size=count)
    kind = rng.choice(4, size=count, p=[*rates, 1 - sum(rates)])
    wrong = np.isin(kind, (0, 2)), np.isin(kind, (1, 2))
    pixels = np.zeros((count, 784), np.uint8)
    pixels[:, 4:12] = rng.integers(256, size=(count, 8))  # no two images are equal
    for arm in range(len(ARMS)):
        pixels[:, arm] = (truth + wrong[arm]) % CLASSES
    alone = np.flatnonzero(wrong[0] != wrong[1])
    together = np.flatnonzero(wrong[0] == wrong[1])
    units = [each for each in (*alone[:, np.newaxis], together) if len(each)]
    answers = predict_all(client, f"experiment={name}", [pixels[unit].tobytes() for unit in units])
    ids = [prediction["id"] for answer in answers for prediction in answer["predictions"]]
    label_as(client, ids, [str(label) for unit in units for label in truth[unit].tolist()])


def _counted(client: FlaskClient, name: str, labels: int) -> Any:
    """Return the report once it holds all labels and all arms' answers."""
    return eventually(lambda: (found := report(client, name))["counts"]["labelled"] == labels and found)
