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
