"""The verdict is the one of the truth, whatever users have said before."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from flask.testing import FlaskClient

from serving.gateway.experiments.judge import judge
from serving.gateway.manifest import Manifest
from serving.gateway.store.store import Store
from testing.api import ADMIN, json_of
from testing.asgi import predict_all
from testing.fake_model_server import FakeModelServer
from testing.manifest import MANIFEST
from testing.simulation import ARMS, answer
from testing.traffic import PAIRED, SPLIT, label_as, report, start
from testing.waiting import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"]),
    pytest.mark.usefixtures("nobody_else_looks"),
]

CLASSES, PIXELS = 10, 784
# Images that control alone, the challenger alone and both have wrong, and that both have right.
BETTER, EQUAL = (44, 10, 6, 100), (0, 0, 30, 130)


class Prediction(NamedTuple):
    """An answer about an image, and the truth."""

    id: str
    variant: str
    said: str
    truth: str


def weighted(first: float) -> list[dict[str, Any]]:
    return [{"variant": ARMS[0], "weight": first}, {"variant": ARMS[1], "weight": round(1 - first, 6)}]


def asked(client: FlaskClient, name: str, errors: tuple[int, ...]) -> list[Prediction]:
    """Request predictions for images, each of a unit of its own."""
    rng = np.random.default_rng(4)
    kind = rng.permutation(np.repeat(range(4), errors))
    truth = rng.integers(CLASSES, size=len(kind))
    pixels = np.zeros((len(kind), PIXELS), np.uint8)
    pixels[:, 0], pixels[:, 1] = (truth + np.isin(kind, (0, 2))) % CLASSES, (truth + np.isin(kind, (1, 2))) % CLASSES
    pixels[:, 4:8] = np.arange(len(kind), dtype="<u4").view(np.uint8).reshape(-1, 4)
    answers = predict_all(client, f"experiment={name}", [image.tobytes() for image in pixels])
    return [
        Prediction(each["predictions"][0]["id"], each["variant"], each["predictions"][0]["label"], str(label))
        for each, label in zip(answers, truth.tolist(), strict=True)
    ]


def tell(client: FlaskClient, labels: dict[str, str], source: str) -> None:
    label_as(client, list(labels), list(labels.values()), source)


def told(client: FlaskClient, spec: dict[str, Any], errors: tuple[int, ...], *, users: bool) -> Any:
    """Run an experiment; `users` correct its wrong answers and spoil some right ones before the truth is known."""
    name = "with_users" if users else "truth_alone"
    start(client, {**spec, "name": name, "margin": 1e-9})
    predictions = asked(client, name, errors)
    if spec.get("paired"):
        eventually(lambda: report(client, name)["counts"]["compared"] == len(predictions))
    if users:
        wrong = {each.id: each.truth for each in predictions if each.said != each.truth}
        spoilt = [each.id for each in predictions if each.said == each.truth][:20]
        tell(client, wrong | dict.fromkeys(spoilt, "unreadable"), "user")
    tell(client, {each.id: each.truth for each in predictions}, "ground_truth")
    found = report(client, name)
    assert (found["counts"]["labelled"], found["labels"]["user"]) == (len(predictions), 0)
    if not spec.get("paired"):
        for arm in found["arms"]:
            served = [each for each in predictions if each.variant == arm["variant"]]
            right = sum(each.said == each.truth for each in served)
            assert (arm["n"], round(arm["accuracy"] * arm["n"])) == (len(served), right)
    return found


@pytest.mark.parametrize(
    ("spec", "errors", "recommendation"),
    [
        ({**PAIRED, "arms": weighted(0.9)}, BETTER, "ship"),
        ({**PAIRED, "arms": weighted(0.5)}, BETTER, "ship"),
        ({**PAIRED, "arms": weighted(0.5)}, EQUAL, "continue"),
        ({**SPLIT, "arms": weighted(0.5)}, EQUAL, "continue"),
    ],
)
def test_the_verdict_is_that_of_the_truth_alone(
    client: FlaskClient, fake_server: FakeModelServer, spec: dict[str, Any], errors: tuple[int, ...],
    recommendation: str,
) -> None:  # fmt: skip
    fake_server.answer = answer
    with_users, alone = (told(client, spec, errors, users=users) for users in (True, False))
    assert with_users["decision"]["recommendation"] == alone["decision"]["recommendation"] == recommendation
    if spec.get("paired"):
        assert with_users["comparisons"] == alone["comparisons"]
        assert with_users["counts"] == alone["counts"]
        (comparison,) = alone["comparisons"]
        assert (comparison["only_variant_right"], comparison["only_control_right"]) == errors[:2]


def test_users_steer_no_verdict_and_an_auditors_is_withdrawn_when_the_truth_replaces_it(
    client: FlaskClient, fake_server: FakeModelServer
) -> None:
    """Users, then an auditor, say that the challenger is right wherever the two differ; it is control."""
    fake_server.answer = answer
    start(client, {**PAIRED, "arms": weighted(0.5), "margin": 1e-9})
    predictions = asked(client, "test", (0, 40, 0, 60))
    eventually(lambda: report(client)["counts"]["compared"] == len(predictions))
    queue = json_of(client.get("/experiments/test/disagreements?limit=100", headers=ADMIN))["disagreements"]
    lies = {each["prediction_id"]: each["answers"][1]["label"] for each in queue}
    store = client.application.extensions["gateway"].experiments.store
    tell(client, lies, "user")
    look(store)
    found = report(client)
    assert (found["verdict"], found["comparisons"][0]["volunteered"]) == (None, 40)
    assert (found["comparisons"][0]["only_variant_right"], found["comparisons"][0]["e_value"]) == (40, 1)
    assert any("decide nothing" in note for note in found["notes"])
    tell(client, lies, "audit")
    look(store)
    assert report(client)["verdict"]["recommendation"] == "ship"
    tell(client, {each.id: each.truth for each in predictions}, "ground_truth")
    assert report(client)["verdict"] is None
    look(store)
    assert report(client)["verdict"]["recommendation"] == "roll_back"
    log = json_of(client.get("/experiments/test"))["log"]
    assert any("verdict withdrawn" in entry["reason"] for entry in log if entry["reason"])


def look(store: Store) -> None:
    """Have the experiment judged."""
    judge(store, "test", Manifest.model_validate(MANIFEST))
