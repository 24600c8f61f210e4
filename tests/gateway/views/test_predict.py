import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from serving.gateway.inference.tf_serving import wire_pb2 as wire
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.web.answers import PredictAnswer
from testing.api import json_of
from testing.encoded import drawn, encode, framed
from testing.fake_model_server import FakeModelServer
from testing.manifest import MANIFEST, variant
from tests.gateway.conftest import MakeClient

FILES = [encode(drawn(label)) for label in (7, 3)]
FRAMED = np.stack([framed(file) for file in FILES])
RAW = "application/octet-stream"


def sent(server: FakeModelServer) -> Images:
    """Return the images of the last request that the model server got."""
    tensor = server.requests[-1].inputs["images"]
    count, height, width = (dim.size for dim in tensor.tensor_shape.dim)
    return Images(tensor.tensor_content, count, height, width)


def text(file: bytes) -> str:
    return base64.b64encode(file).decode()


def wrapped(file: bytes) -> str:
    return base64.encodebytes(file).decode()


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"json": {"instances": FRAMED.tolist()}}, 2),
        ({"json": {"instances": [{"b64": text(FILES[0])}, {"b64": wrapped(FILES[1])}]}}, 2),
        ({"json": {"instances": [{"b64": text(FILES[0])}, FRAMED[1].tolist()]}}, 2),
        ({"json": {"instances": [FRAMED[0].tolist(), {"b64": text(FILES[1])}]}}, 2),
        ({"data": FILES[0], "content_type": "image/png"}, 1),
        ({"data": encode(drawn(7), "BMP"), "content_type": "image/bmp"}, 1),
        ({"data": encode(drawn(7), "WEBP", lossless=True), "content_type": "image/webp"}, 1),
        ({"data": encode(drawn(7), "GIF"), "content_type": "image/gif"}, 1),
        ({"data": FRAMED.tobytes(), "content_type": RAW}, 2),
    ],
)
def test_every_form_of_body_sends_the_same_pixels(
    client: FlaskClient, fake_server: FakeModelServer, body: dict[str, Any], count: int
) -> None:
    answer = client.post("/predict", **body)
    assert answer.status_code == 200, answer.text
    assert sent(fake_server) == Images(FRAMED[:count].tobytes(), count, 28, 28)


@pytest.mark.parametrize("count", [1, 2])
def test_a_form_may_have_several_files(client: FlaskClient, fake_server: FakeModelServer, count: int) -> None:
    answer = client.post("/predict", data={"image": [(BytesIO(file), "a.png") for file in FILES[:count]]})
    assert len(json_of(answer)["predictions"]) == count
    assert sent(fake_server).pixels == FRAMED[:count].tobytes()


def test_a_jpeg_is_read(client: FlaskClient, fake_server: FakeModelServer) -> None:
    assert client.post("/predict", data=encode(drawn(7), "JPEG"), content_type="image/jpeg").status_code == 200
    pixels = np.frombuffer(sent(fake_server).pixels, np.uint8)
    assert np.corrcoef(pixels, FRAMED[0].ravel())[0, 1] > 0.95


def test_several_digits_of_a_picture_are_refused_or_split(client: FlaskClient, fake_server: FakeModelServer) -> None:
    both = encode(np.hstack([np.asarray(drawn(label)) for label in (7, 3)]))
    refused = client.post("/predict", json={"instances": [{"b64": text(FILES[0])}, {"b64": text(both)}]})
    assert refused.status_code == 422
    assert json_of(refused)["errors"][0]["pointer"] == "/instances/1/b64"
    assert "has 2 separate large marks" in json_of(refused)["detail"]
    answer = client.post("/predict?split=true", json={"instances": [{"b64": text(FILES[0])}, {"b64": text(both)}]})
    found = PredictAnswer.model_validate_json(answer.data).predictions
    assert [each.image for each in found] == [0, 1, 1]
    boxes = [each.box for each in found]
    assert [box is not None and box.x // 200 for box in boxes] == [0, 0, 1]
    assert sent(fake_server).count == 3


def test_pixels_have_no_box(client: FlaskClient) -> None:
    answer = client.post("/predict?split=true", json={"instances": [[[9] * 28] * 28]})
    prediction = json_of(answer)["predictions"][0]
    assert (prediction["image"], prediction["box"]) == (0, None)
    assert "box" not in json_of(client.post("/predict", json={"instances": [[[9] * 28] * 28]}))["predictions"][0]
    raw = json_of(client.post("/predict?split=true", data=bytes(2 * 784), content_type=RAW))["predictions"]
    assert [(each["image"], each["box"]) for each in raw] == [(0, None), (1, None)]


def test_an_answer_is_as_documented(client: FlaskClient) -> None:
    pixels = np.zeros((2, 784), np.uint8)
    pixels[:, 0] = (3, 8)
    answer = client.post("/predict", data=pixels.tobytes(), content_type=RAW)
    read = PredictAnswer.model_validate_json(answer.data)
    assert (read.request_id, read.variant, read.version, read.experiment) == (
        answer.headers["X-Request-Id"], answer.headers["X-Variant"], 7, None,
    )  # fmt: skip
    assert [(p.label, p.confidence, p.probabilities) for p in read.predictions] == [
        ("3", 1.0, np.eye(10)[3].tolist()),
        ("8", 1.0, np.eye(10)[8].tolist()),
    ]
    assert len({p.id for p in read.predictions}) == 2
    assert "entropy" not in json_of(answer)["predictions"][0]


def test_familiarity_comes_from_models_that_score_it(
    client: FlaskClient, make_client: MakeClient, fake_server: FakeModelServer, manifest_folder: Path
) -> None:
    def familiarity(client: FlaskClient, path: str) -> Any:
        answer = json_of(client.post(path, data=bytes(784), content_type=RAW))
        [of_image] = answer["predictions"] if path == "/predict" else answer["results"][0]["variants"][:1]
        return of_image["familiarity"]

    assert [familiarity(client, path) for path in ("/predict", "/compare")] == [None, None]
    scored = {**MANIFEST, "variants": [variant("plain", "with_familiarity")]}
    (manifest_folder / "manifest.json").write_text(json.dumps(scored))
    anew = make_client()
    assert [familiarity(anew, path) for path in ("/predict", "/compare")] == [0.25, 0.25]


def test_the_named_variant_answers(client: FlaskClient, fake_server: FakeModelServer) -> None:
    answer = client.post("/predict?variant=dropout", data=bytes(784), content_type=RAW)
    assert (json_of(answer)["variant"], answer.headers["X-Variant"]) == ("dropout", "dropout")
    spec = fake_server.requests[-1].model_spec
    assert (spec.name, spec.signature_name) == ("dropout", "serving_default")


def test_uncertainty_is_sampled_and_told(make_client: MakeClient, fake_server: FakeModelServer) -> None:
    client = make_client(uncertainty_samples=40)
    answer = client.post("/predict?variant=dropout&uncertainty=true", data=bytes(1568), content_type=RAW)
    read = PredictAnswer.model_validate_json(answer.data)
    assert [(p.entropy, p.mutual_information) for p in read.predictions] == [(0.5, 0.25)] * 2
    request = fake_server.requests[-1]
    assert request.model_spec.signature_name == "mc_dropout"
    assert request.inputs["samples"].int_val == [40]


def test_the_manifest_decides_on_size_and_classes(
    client: FlaskClient, fake_server: FakeModelServer, manifest_folder: Path
) -> None:
    names = [f"letter {number}" for number in range(10)]
    image = {"height": 16, "width": 20, "framing": "mnist"}
    (manifest_folder / "manifest.json").write_text(json.dumps({**MANIFEST, "classes": names, "image": image}))
    answer = client.post("/predict", json={"instances": [[[11] + [0] * 19] * 16, {"b64": text(FILES[0])}]})
    assert json_of(answer)["predictions"][0]["label"] == "letter 6"
    assert (sent(fake_server).count, sent(fake_server).height, sent(fake_server).width) == (2, 16, 20)


def test_an_answer_that_does_not_fit_the_manifest_is_a_bad_gateway(client: FlaskClient, manifest_folder: Path) -> None:
    (manifest_folder / "manifest.json").write_text(json.dumps({**MANIFEST, "classes": ["yes", "no"]}))
    answer = client.post("/predict", data=bytes(784), content_type=RAW)
    assert answer.status_code == 502
    assert json_of(answer)["detail"] == (
        "Variant 'plain' answered probabilities of shape (1, 10); values of shape (1, 2) belong there."
    )


def test_an_answer_that_is_not_finite_is_a_bad_gateway(client: FlaskClient, fake_server: FakeModelServer) -> None:
    honest = fake_server.answer

    def broken(request: wire.PredictRequest) -> wire.PredictResponse:
        response = honest(request)
        response.outputs["probabilities"].float_val[3] = float("nan")
        return response

    fake_server.answer = broken
    answer = client.post("/predict", data=bytes(784), content_type=RAW)
    assert answer.status_code == 502
    assert json_of(answer)["detail"] == (
        "The model server's answer for variant 'plain' cannot be read: a tensor with values that are not finite."
    )
