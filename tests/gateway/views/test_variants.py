import datetime
import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from serving.gateway.views.variants import VariantsAnswer
from testing.api import json_of
from testing.fake_model_server import FakeModelServer


def test_variants_are_listed_with_their_live_state(client: FlaskClient, fake_server: FakeModelServer) -> None:
    fake_server.models.remove("dropout")
    answer = VariantsAnswer.model_validate_json(client.get("/variants").data)
    assert (answer.default, answer.image.height, len(answer.classes)) == ("plain", 28, 10)
    plain, dropout = answer.variants
    assert (plain.name, plain.title, plain.version, plain.live.state, plain.live.version) == (
        "plain", "Plain", 7, "AVAILABLE", 7,
    )  # fmt: skip
    assert (dropout.live.state, dropout.live.version) == ("UNREACHABLE", None)
    assert dropout.live.detail == "The model server has not loaded variant 'dropout'; try again shortly."


def test_variants_are_listed_while_the_model_server_is_down(client: FlaskClient, fake_server: FakeModelServer) -> None:
    fake_server.stop()
    states = [variant["live"]["state"] for variant in json_of(client.get("/variants"))["variants"]]
    assert states == ["UNREACHABLE", "UNREACHABLE"]


def run(state: str, updated: str, **done: int) -> str:
    """Return a training.json of variants with so many of their ten steps done; one with all of them is published."""
    variants = [
        {"name": name, "title": name.title(), "state": "published" if steps == 10 else "training", "done": steps,
         "steps": 10}
        for name, steps in done.items()
    ]  # fmt: skip
    return json.dumps(
        {"schema": 1, "state": state, "detail": "", "started": updated, "updated": updated, "variants": variants}
    )


NOW = "the moment of the test"
LONG_AGO = "2026-01-01T00:00:00Z"


def write(models: Path, content: str) -> None:
    """Write training.json as of this moment."""
    (models / "training.json").write_text(content.replace(NOW, datetime.datetime.now(datetime.UTC).isoformat()))


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (run("training", NOW, plain=10, champion=3), "training"),
        (run("training", NOW, plain=3), "training"),  # a new version of a published one
        (run("training", LONG_AGO, champion=3), "stopped"),  # it was killed
        (run("failed", LONG_AGO, champion=3), "failed"),
        (run("stopped", LONG_AGO, plain=3), None),  # its variant is published all the same
        (run("finished", NOW, champion=10), None),
        ("{", None),
    ],
)
def test_a_training_run_is_shown_until_all_is_published(client: FlaskClient, content: str, state: str | None) -> None:
    models = Path(client.application.extensions["gateway"].settings.models_dir)
    write(models, content)
    training = VariantsAnswer.model_validate_json(client.get("/variants").data).training
    assert (training and training.state) == state
    assert client.get("/readyz").status_code == 200


def test_the_progress_of_each_variant_is_told(client: FlaskClient) -> None:
    models = Path(client.application.extensions["gateway"].settings.models_dir)
    write(models, run("training", NOW, plain=10, champion=3))
    plain, champion = json_of(client.get("/variants"))["training"]["variants"]
    assert plain["state"] == "published"
    assert champion == {"name": "champion", "title": "Champion", "state": "training", "done": 3, "steps": 10}
