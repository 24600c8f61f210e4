"""Send traffic for tests of experiments, through the WSGI application."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from flask.testing import FlaskClient

from testing.api import ADMIN, json_of

RAW = "application/octet-stream"
SPLIT = {
    "name": "test", "control": "plain",
    "arms": [{"variant": "plain", "weight": 0.5}, {"variant": "dropout", "weight": 0.5}],
}  # fmt: skip
PAIRED = {**SPLIT, "paired": True}


NUMBERS = itertools.count(1)
NUMBER_BYTES = 4


def images(*labels: int) -> bytes:
    """Return images that the fake model server labels with these digits; no two that it returns are equal."""
    pixels = np.zeros((len(labels), 784), np.uint8)
    for row, label in zip(pixels, labels, strict=True):
        row[1 : 1 + NUMBER_BYTES] = list(next(NUMBERS).to_bytes(NUMBER_BYTES))
        row[0] = (label - int(row[1:].sum(dtype=int))) % 10
    return pixels.tobytes()


def start(client: FlaskClient, spec: dict[str, Any] = SPLIT) -> None:
    """Create an experiment and start it."""
    made = client.post("/experiments", json=spec, headers=ADMIN)
    assert made.status_code == 201, made.text
    act(client, spec["name"], "start")


def act(client: FlaskClient, name: str, action: str, **body: Any) -> Any:
    """Take a step of the life cycle; return the experiment."""
    answer = client.post(f"/experiments/{name}/{action}", json=body, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return json_of(answer)


def predict(client: FlaskClient, *labels: int, unit: str | None = None, query: str = "") -> Any:
    """Request predictions for images of these digits; return the answer."""
    headers = {"X-Unit-Id": unit} if unit else {}
    answer = client.post(f"/predict{query}", data=images(*labels), content_type=RAW, headers=headers)
    assert answer.status_code == 200, answer.text
    return json_of(answer)


def label(client: FlaskClient, prediction_id: str, label: str, source: str = "ground_truth") -> int:
    """Send a label as an administrator; return the status."""
    body = {"prediction_id": prediction_id, "label": label, "source": source}
    return client.post("/feedback", json=body, headers=ADMIN).status_code


def label_all(client: FlaskClient, predictions: Iterable[Any], label: str) -> None:
    """Send the same label for all predictions, in one request, as an administrator."""
    ids = [each["id"] for each in predictions]
    label_as(client, ids, [label] * len(ids))


def label_as(client: FlaskClient, ids: Sequence[str], labels: Sequence[str], source: str = "ground_truth") -> None:
    """Send labels of predictions, in one request, as an administrator."""
    items = [{"prediction_id": each, "label": label, "source": source} for each, label in zip(ids, labels, strict=True)]
    answer = client.post("/feedback", json={"items": items}, headers=ADMIN)
    assert {each["status"] for each in json_of(answer)["items"]} == {201}, answer.text


def report(client: FlaskClient, name: str = "test") -> Any:
    """Return an experiment's report."""
    answer = client.get(f"/experiments/{name}/report")
    assert answer.status_code == 200, answer.text
    return json_of(answer)
