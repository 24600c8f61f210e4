import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from serving.gateway.errors import pointer
from serving.gateway.manifest import Manifest
from serving.gateway.web.answers import PredictAnswer
from serving.gateway.web.infer_reply import InferAnswer, known_outputs, metadata
from testing import asgi
from testing.api import ADMIN, json_of
from testing.fake_model_server import FakeModelServer
from testing.inference import tensor, with_bytes
from testing.manifest import MANIFEST, variant
from testing.traffic import RAW, images, start
from tests.gateway.conftest import MakeClient

URL = "/v2/models/plain/infer"
NESTED = np.zeros((2, 28, 28), int)
NESTED[:, 0, 0] = (3, 8)
PIXELS = NESTED.astype(np.uint8).tobytes()
HEADLESS = tensor(data=None, shape=[2, 28, 28], parameters={"binary_data_size": 1568})
BINARY = with_bytes({"inputs": [HEADLESS]}, PIXELS)


def read(answer: Any) -> InferAnswer:
    """Return an answer without bytes."""
    assert answer.status_code == 200, answer.text
    return InferAnswer.model_validate_json(answer.data)


def outputs(answer: InferAnswer) -> dict[str, Any]:
    return {output.name: output.data for output in answer.outputs}


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"inputs": [tensor(shape=[2, 28, 28], data=NESTED.tolist())]}},
        {"json": {"inputs": [tensor(shape=[2, 28, 28, 1], data=NESTED[..., None].tolist())]}},
        {"json": {"inputs": [tensor(shape=[2, 784], data=NESTED.ravel().tolist(), parameters=None)], "else": 1}},
        {"data": json.dumps({"inputs": [tensor(shape=[2, 28, 28], data=NESTED.ravel().tolist())]})},
        BINARY,
    ],
)
def test_every_form_of_body_gets_the_same_answer(client: FlaskClient, body: dict[str, Any]) -> None:
    answer = read(client.post(URL, **body))
    assert (answer.model_name, answer.model_version, answer.id) == ("plain", "7", None)
    assert outputs(answer) == {"probabilities": np.eye(10)[[3, 8]].ravel().tolist(), "labels": ["3", "8"]}
    assert [output.shape for output in answer.outputs] == [[2, 10], [2]]


def test_outputs_come_as_bytes_where_asked(client: FlaskClient) -> None:
    wanted = [{"name": "labels", "parameters": {"binary_data": True}}, {"name": "probabilities"}]
    answer = client.post(URL, json={"id": "x", "inputs": [tensor()], "outputs": wanted})
    length = int(answer.headers["Inference-Header-Content-Length"])
    head = InferAnswer.model_validate_json(answer.data[:length])
    assert (answer.headers["Content-Type"], head.id) == ("application/octet-stream", "x")
    assert [output.parameters for output in head.outputs] == [{"binary_data_size": 5}, None]
    assert answer.data[length:] == b"\x01\x00\x00\x000"


def test_the_ids_take_feedback(client: FlaskClient) -> None:
    answer = read(client.post(URL, **BINARY))
    ids = answer.parameters.prediction_ids.split(",")
    body = {"items": [{"prediction_id": each, "label": "3"} for each in ids]}
    assert [each["status"] for each in json_of(client.post("/feedback", json=body))["items"]] == [201, 201]


def test_any_variant_is_chosen_as_predict_chooses(client: FlaskClient) -> None:
    start(client)
    url = "/v2/models/any-variant/infer?experiment=test"
    for unit in map(str, range(8)):
        unit_of = {"X-Unit-Id": unit}
        infer = read(client.post(url, json={"inputs": [tensor()]}, headers=unit_of))
        predicted = client.post("/predict?experiment=test", data=bytes(784), content_type=RAW, headers=unit_of)
        assert infer.model_name == PredictAnswer.model_validate_json(predicted.data).variant
        assert infer.parameters.experiment == "test"
    assert read(client.post(URL, json={"inputs": [tensor()]})).parameters.experiment is None


def test_the_event_loop_answers_as_flask_does(client: FlaskClient) -> None:
    loop = asgi.answer(client, "/v2/models/plain/versions/7/infer", BINARY["data"], BINARY["headers"])
    flask = client.post("/v2/models/plain/versions/7/infer", **BINARY)
    assert outputs(InferAnswer.model_validate(loop)) == outputs(read(flask))


def test_uncertainty_and_scale_are_as_in_predict(client: FlaskClient) -> None:
    url = "/v2/models/dropout/infer?uncertainty=true&scale=1"
    answer = outputs(read(client.post(url, json={"inputs": [tensor(data=[1] * 784)]})))
    assert answer["entropy"] == [0.5] and answer["mutual_information"] == [0.25]
    assert answer["labels"] == [str(784 * 255 % 10)]


def test_another_version_than_the_published_one_is_told(client: FlaskClient, fake_server: FakeModelServer) -> None:
    honest = fake_server.answer

    def newer(request: Any) -> Any:
        response = honest(request)
        response.model_spec.version.value = 8
        return response

    fake_server.answer = newer
    answer = client.post("/v2/models/plain/versions/7/infer", json={"inputs": [tensor()]})
    assert answer.status_code == 503
    assert json_of(answer)["error"] == "Variant 'plain' answers in version 8, not 7; try again shortly."
    assert client.post(URL, json={"inputs": [tensor()]}).status_code == 200


IN = ("inputs", 0)


BAD: list[tuple[dict[str, Any], int, tuple[str | int, ...] | None, str]] = [
        ({"data": b"{"}, 400, None, "The body is not JSON:"),
        ({"data": b"[]"}, 422, (), "The body: Input should be an object."),
        ({"json": {"inputs": []}}, 422, ("inputs",), "/inputs: List should have at least 1 item"),
        ({"json": {"inputs": [tensor()] * 2}}, 422, ("inputs",), "/inputs: List should have at most 1 item"),
        (tensor(name="x"), 422, (*IN, "name"), "/inputs/0/name: There is no input 'x'; there is 'images'."),
        (tensor(datatype="FP32"), 422, (*IN, "datatype"), "/inputs/0/datatype: Input should be 'UINT8', not 'FP32'"),
        (tensor(shape=[1, 28]), 422, (*IN, "shape"), "/inputs/0/shape: Input should be [n, 28, 28], [n, 784] or"),
        (tensor(shape=[]), 422, (*IN, "shape"), "/inputs/0/shape: Input should be"),
        (tensor(shape=[0, 784]), 422, (*IN, "shape", 0), "/inputs/0/shape/0: Input should be greater than or equal"),
        (tensor(shape=[2000, 784]), 413, None, "There are 2,000 images; at most 1,024 are taken."),
        (tensor(shape=[2, 784]), 422, (*IN, "data"), "/inputs/0/data: Input should have 1568 values, not 784."),
        (tensor(data=None), 422, (*IN, "data"), "/inputs/0/data: Field required."),
        (tensor(data=[0] * 783 + [256]), 422, (*IN, "data", 783), "/inputs/0/data/783: Input should be less than or"),
        (tensor(data=[0, float("nan")] + [0] * 782), 422, (*IN, "data", 1), "/inputs/0/data/1: Input should be a"),
        (tensor(data=[False] * 784), 422, (*IN, "data", 0), "/inputs/0/data/0: Input should be a valid integer."),
        (tensor(data=[1] * 200 + [0] * 584), 422, (*IN, "data"), "/inputs/0/data: No pixel is above 1: the pixels"),
        (tensor(shape=[1, 28, 28], data=[[[0] * 28] * 27 + [[0] * 27 + [-1]]]), 422, (*IN, "data", 0, 27, 27),
         "/inputs/0/data/0/27/27: Input should be greater than or equal to 0."),
        (tensor(shape=[1, 28, 28], data=[[[0] * 28] * 27 + [7]]), 422, (*IN, "data", 0, 27),
         "/inputs/0/data/0/27: Input should be a valid array."),
        (tensor(parameters={"shared_memory_region": "x"}), 422, (*IN, "parameters", "shared_memory_region"),
         "/inputs/0/parameters/shared_memory_region: This extension is not offered; leave it out."),
        ({"json": {"inputs": [tensor()], "outputs": [{"name": "x"}]}}, 422, ("outputs", 0, "name"),
         "/outputs/0/name: There is no output 'x' here; there are probabilities, labels."),
        ({"json": {"inputs": [tensor()], "outputs": [{"name": "labels"}] * 2}}, 422, ("outputs", 1, "name"),
         "/outputs/1/name: Output 'labels' is named twice."),
        ({"json": {"inputs": [tensor()], "outputs": [{"name": "familiarity"}]}}, 422, ("outputs", 0, "name"),
         "/outputs/0/name: There is no output 'familiarity' here; there are probabilities, labels."),
        (with_bytes({"inputs": [HEADLESS]}, PIXELS[1:]), 400, None, "Behind the JSON are 1,567 bytes, and"),
        (with_bytes({"inputs": [tensor()]}, b"x"), 400, None, "Behind the JSON are 1 bytes; give their number as"),
        (with_bytes({"inputs": [HEADLESS | {"data": []}]}, PIXELS), 422, (*IN, "data"), "/inputs/0/data: Send"),
        (with_bytes({"inputs": [HEADLESS | {"shape": [1, 784]}]}, PIXELS), 422,
         (*IN, "parameters", "binary_data_size"), "/inputs/0/parameters/binary_data_size: Input should be 784"),
        ({**BINARY, "headers": {"Inference-Header-Content-Length": "-1"}}, 400, None,
         "Inference-Header-Content-Length is '-1'; send the length of the JSON, in bytes."),
        ({**BINARY, "headers": {"Inference-Header-Content-Length": "9" * 4}}, 400, None,
         "Inference-Header-Content-Length is 9999, and the body has 1,"),
        ({**BINARY, "headers": {"Content-Encoding": "gzip"}}, 415, None, "Content-Encoding 'gzip': send the body"),
]  # fmt: skip


def test_a_bad_request_is_told_what_is_wrong_and_where(client: FlaskClient) -> None:
    for body, status, place, error in BAD:
        answer = client.post(URL, **({"json": {"inputs": [body]}} if "name" in body else body))
        found = json_of(answer)
        assert (answer.status_code, found["error"][: len(error)]) == (status, error)
        assert (answer.headers["Content-Type"], found["error"]) == ("application/problem+json", found["detail"])
        faults = [fault["pointer"] for fault in found.get("errors", [])]
        assert faults == ([] if place is None else [pointer(*place)]), error


WRONG: list[tuple[str, str, int, str]] = [
    ("POST", "/v2/models/l2/infer", 404, "There is no variant 'l2'; there are plain, dropout."),
    ("GET", "/v2/models/l2/ready", 404, "There is no variant 'l2'; there are plain, dropout."),
    ("GET", "/v2/models/plain/versions/6", 404, "There is no version '6' of 'plain', which has version 7."),
    ("GET", "/v2/models/any-variant/versions/7", 404, "There is no version '7' of 'any-variant', which has no"),
    ("POST", "/v2/models/plain/versions/x/infer", 404, "There is no version 'x' of 'plain', which has version 7."),
    ("GET", "/v2/repository/index", 404, "There is nothing at /v2/repository/index; /docs lists all paths."),
    ("POST", "/v2", 405, "The method is not allowed for the requested URL."),
    ("POST", f"{URL}?variant=l2", 422, "/query/variant: There is no such parameter."),
]


def test_every_error_has_the_members_that_clients_read(client: FlaskClient) -> None:
    for method, path, status, error in WRONG:
        answer = client.open(path, method=method, json={"inputs": [tensor()]} if method == "POST" else None)
        assert (answer.status_code, json_of(answer)["error"][: len(error)]) == (status, error)


def test_other_paths_have_no_member_of_it(client: FlaskClient) -> None:
    assert "error" not in json_of(client.get("/nowhere"))


def test_limits_and_metrics_are_those_of_predictions(make_client: MakeClient) -> None:
    client = make_client(max_body_bytes=2000, max_other_body_bytes=1024, max_instances=1)
    assert client.post(URL, **with_bytes({"inputs": [HEADLESS]}, PIXELS)).status_code == 413  # two images
    assert client.post(URL, data=bytes(2001)).status_code == 413
    head = {"inputs": [tensor(data=None, parameters={"binary_data_size": 784, "else": "x" * 500})]}
    one = with_bytes(head, images(4))
    assert len(one["data"]) > 1024
    assert client.post(URL, **one).status_code == 200
    metrics = client.get("/metrics", headers=ADMIN).text
    assert 'path="/v2/models/<name>/infer"' in metrics and 'variant="plain"' in metrics


def test_a_version_that_is_not_loaded_is_not_ready(client: FlaskClient, manifest_folder: Path) -> None:
    assert client.get("/v2/models/plain/versions/7/ready").status_code == 200
    file = manifest_folder / "manifest.json"
    file.write_text(file.read_text().replace('"version": 7', '"version": 8'))
    assert client.get("/v2/models/plain/ready").status_code == 200
    answer = client.get("/v2/models/plain/versions/8/ready")
    assert answer.status_code == 503
    assert json_of(answer)["error"] == "Variant 'plain' answers in version 7, not 8; try again shortly."


def test_a_model_that_is_not_loaded_is_not_ready(client: FlaskClient, fake_server: FakeModelServer) -> None:
    fake_server.models = {"plain"}
    assert client.get("/v2/health/ready").status_code == 503
    assert client.get("/v2/health/live").status_code == 200
    assert [client.get(f"/v2/models/{name}/ready").status_code for name in ("plain", "any-variant", "dropout")] == (
        [200, 200, 503]
    )
    answer = json_of(client.get("/v2/models/dropout/ready"))
    assert answer["error"].startswith("Variant 'dropout' is not ready: UNREACHABLE The model server has not loaded")


@pytest.mark.parametrize(("familiar", "for_all"), [(("plain",), False), (("plain", "dropout"), True)])
def test_outputs_of_any_variant_are_those_that_all_have(familiar: tuple[str, ...], for_all: bool) -> None:
    """An experiment's other arm may answer, and cannot score what it was exported without."""
    variants = [variant(name, *["with_familiarity"] * (name in familiar)) for name in ("plain", "dropout")]
    manifest = Manifest.model_validate({**MANIFEST, "variants": variants})
    assert ("familiarity" in known_outputs(None, manifest)) == for_all
    assert "familiarity" in known_outputs(manifest.variants[0], manifest)
    described = [output.name for output in metadata("any-variant", None, manifest).outputs]
    assert ("familiarity" in described) == for_all
