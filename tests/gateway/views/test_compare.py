import base64
import threading
import time
from io import BytesIO

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from serving.gateway.inference.tf_serving import wire_pb2 as wire
from serving.gateway.web.answers import CompareAnswer
from testing.api import json_of
from testing.encoded import drawn, encode
from testing.fake_model_server import FakeModelServer
from tests.gateway.conftest import MakeClient

RAW = "application/octet-stream"
PIXELS = np.zeros((2, 28, 28), np.uint8)
PIXELS[0, 0, :3], PIXELS[1, 27, 27] = (1, 2, 3), 9


def test_every_variant_sees_the_same_pixels_and_says_what_they_show(
    client: FlaskClient, fake_server: FakeModelServer
) -> None:
    answer = CompareAnswer.model_validate_json(client.post("/compare", data=PIXELS.tobytes(), content_type=RAW).data)
    assert [[(v.variant, v.version, v.label) for v in result.variants] for result in answer.results] == [
        [("plain", 7, "6"), ("dropout", 7, "6")],
        [("plain", 7, "9"), ("dropout", 7, "9")],
    ]
    assert all(result.agree for result in answer.results)
    assert {request.inputs["images"].tensor_content for request in fake_server.requests} == {PIXELS.tobytes()}


def test_what_was_seen_is_shown(client: FlaskClient, fake_server: FakeModelServer) -> None:
    answer = json_of(client.post("/compare", data=encode(drawn(5)), content_type="image/png"))
    head, _, data = answer["results"][0]["seen"].partition(",")
    assert head == "data:image/png;base64"
    seen = np.asarray(Image.open(BytesIO(base64.b64decode(data))))
    assert seen.tobytes() == fake_server.requests[-1].inputs["images"].tensor_content


def test_several_digits_are_compared_each(client: FlaskClient) -> None:
    both = encode(np.hstack([np.asarray(drawn(label)) for label in (7, 3)]))
    assert client.post("/compare", data=both, content_type="image/png").status_code == 422
    answer = client.post("/compare?split=true", data=both, content_type="image/png")
    results = CompareAnswer.model_validate_json(answer.data).results
    assert [result.box is not None and result.box.x // 200 for result in results] == [0, 1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["plain", "dropout"]),
        ("?variants=dropout", ["dropout"]),
        ("?variants=dropout,plain,dropout", ["dropout", "plain"]),
    ],
)
def test_variants_are_those_asked_for(client: FlaskClient, query: str, expected: list[str]) -> None:
    answer = client.post(f"/compare{query}", data=bytes(784), content_type=RAW)
    assert [each["variant"] for each in json_of(answer)["results"][0]["variants"]] == expected


def test_a_disagreement_is_told(client: FlaskClient, fake_server: FakeModelServer) -> None:
    honest = fake_server.answer

    def contrary(request: wire.PredictRequest) -> wire.PredictResponse:
        response = honest(request)
        if request.model_spec.name == "dropout":
            response.outputs["probabilities"].float_val[:] = [0] * 9 + [1]
        return response

    fake_server.answer = contrary
    answer = client.post("/compare", data=bytes(784), content_type=RAW)
    assert json_of(answer)["results"][0]["agree"] is False


def test_all_variants_share_one_deadline(make_client: MakeClient, fake_server: FakeModelServer) -> None:
    released = threading.Event()
    fake_server.fault = lambda context: released.wait(20)
    client = make_client(deadline_ms=300)
    started = time.monotonic()
    answer = client.post("/compare", data=bytes(784), content_type=RAW)
    released.set()
    assert answer.status_code == 504
    assert time.monotonic() - started < 20  # though the model server holds each call for longer
