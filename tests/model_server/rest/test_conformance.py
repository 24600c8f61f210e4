"""TF Serving's behaviour over REST, a row each; see conftest.py for running this against the real one.

Where only the embedded server refuses a request, the row says so and is skipped for the real one.
"""

import gzip
import json
import math
from typing import Any

import pytest
import requests

from testing.running_model_server import Running
from tests.model_server.conftest import REAL_ADDRESS

pytestmark = pytest.mark.slow

SECONDS = 20
BLANK = [[0] * 28] * 28


def post(server: Running, path: str, body: Any) -> requests.Response:
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    return requests.post(f"{server.rest_url}/v1/models/{path}", data=data, timeout=SECONDS)


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        pytest.param("half_plus:predict", {"instances": [2, 3.0, 4]}, {"predictions": [4.0, 4.5, 5.0]}, id="rows"),
        pytest.param("half_plus:predict", {"inputs": [2, 3.0, 4]}, {"outputs": [4.0, 4.5, 5.0]}, id="columns"),
        pytest.param("half_plus:predict", {"inputs": {"x": [2]}}, {"outputs": [4.0]}, id="columns by name"),
        pytest.param("half_plus:predict", {"instances": [{"x": 2}]}, {"predictions": [4.0]}, id="rows by name"),
        pytest.param(
            "half_plus:predict", {"instances": [[1, 2], [3, 4]]}, {"predictions": [[3.5, 4.0], [4.5, 5.0]]}, id="nested"
        ),
        pytest.param("half_plus/versions/2:predict", {"instances": [2]}, {"predictions": [3.0]}, id="version"),
        pytest.param("half_plus/labels/stable:predict", {"instances": [2]}, {"predictions": [3.0]}, id="label"),
        pytest.param("half%5Fplus:predict", {"instances": [2]}, {"predictions": [4.0]}, id="%"),
        pytest.param(
            "half_plus:predict",
            {"signature_name": "both", "instances": [2]},
            {"predictions": [{"negative": -4.0, "y": 4.0}]},
            id="rows of several outputs",
        ),
        pytest.param(
            "half_plus:predict",
            {"signature_name": "both", "inputs": [2]},
            {"outputs": {"negative": [-4.0], "y": [4.0]}},
            id="columns of several outputs",
        ),
        pytest.param("half_plus:predict", {"instances": [2], "more": 1}, {"predictions": [4.0]}, id="unknown key"),
        pytest.param(
            "half_plus:regress",
            {"signature_name": "regress", "examples": [{"x": 2.0}, {"x": [4.0]}]},
            {"results": [4.0, 5.0]},
            id="regress",
        ),
        pytest.param(
            "half_plus:regress",
            {"signature_name": "regress", "context": {"x": 6.0}, "examples": [{}, {}]},
            {"results": [6.0, 6.0]},
            id="context",
        ),
        pytest.param(
            "half_plus:classify",
            {"signature_name": "classify", "examples": [{"x": 2.0}]},
            {"results": [[["large", 4.0]]]},
            id="classify",
        ),
        pytest.param(
            "half_plus:classify",
            {"signature_name": "scores_only", "examples": [{"x": 2.0}]},
            {"results": [[["", 4.0]]]},
            id="classify without labels",
        ),
    ],
)
def test_a_request_is_answered(server: Running, path: str, body: Any, answer: Any) -> None:
    response = post(server, path, body)
    assert (response.status_code, response.json()) == (200, answer)
    assert response.headers["Content-Type"] == "application/json"


def test_every_type_has_its_json(server: Running) -> None:
    row = {"text": {"b64": "aGk="}, "whole": [2**60, -1], "truth": False, "real": 1}
    response = post(server, "kinds:predict", {"instances": [row]})
    assert response.json() == {
        "predictions": [
            {"text": "hi", "text_bytes": {"b64": "aGk="}, "whole": [2**60, -1], "truth": False, "real": 0.0}
        ]
    }


@pytest.mark.parametrize(
    ("real", "token"), [("0", "-Infinity"), ("-1", "NaN"), ("Infinity", "Infinity"), ("NaN", "NaN"), ("1", "0.0")]
)
def test_numbers_without_digits_are_tokens(server: Running, real: str, token: str) -> None:
    body = f'{{"instances": [{{"text": "", "whole": [1], "truth": true, "real": {real}}}]}}'
    response = post(server, "kinds:predict", body)
    assert response.status_code == 200
    assert f'"real": {token}' in response.text


def test_numbers_are_written_short(server: Running) -> None:
    answers = [9e6, 999999.0, 0.5, 555557.5, 3.0003]
    response = post(server, "half_plus:predict", {"instances": [2 * (answer - 3) for answer in answers]})
    assert "9e+06, 999999.0, 0.5, 555557.5, 3.0003" in response.text.replace("[", "").replace("\n", "")


def test_images_become_probabilities(server: Running) -> None:
    response = post(server, "pixels:predict", {"instances": [BLANK, BLANK]})
    assert [len(row) for row in response.json()["predictions"]] == [10, 10]
    assert math.isclose(sum(response.json()["predictions"][0]), 1, abs_tol=1e-5)


def test_a_body_may_be_packed_or_in_chunks(server: Running) -> None:
    url, body = f"{server.rest_url}/v1/models/half_plus:predict", b'{"instances": [2]}'
    packed = requests.post(url, gzip.compress(body), headers={"Content-Encoding": "gzip"}, timeout=SECONDS)
    assert packed.json() == {"predictions": [4.0]}
    assert requests.post(url, iter([body[:5], body[5:]]), timeout=SECONDS).json() == {"predictions": [4.0]}


ERRORS = [
    ("POST", "models/nobody:predict", '{"instances": [1]}', 404, "Servable not found for request: Latest(nobody)"),
    ("POST", "models/half_plus/versions/7:predict", '{"instances": [1]}', 404,
     "Servable not found for request: Specific(half_plus, 7)"),
    ("POST", "models/half_plus/labels/none:predict", '{"instances": [1]}', 400,
     "Unrecognized servable version label: none"),
    ("POST", "models/half_plus/versions/18446744073709551615:predict", "{}", 400,
     "Failed to convert version: 18446744073709551615 to numeric."),
    ("POST", "models/half_plus:predict", '{"signature_name": "zzz", "instances": [1]}', 400,
     'Serving signature name: "zzz" not found in signature def'),
    ("POST", "models/half_plus:predict", '{"signature_name": 5, "instances": [1]}', 400,
     "'signature_name' key must be a string value."),
    ("POST", "models/half_plus:predict", '{"instances": [1], "inputs": [1]}', 400,
     "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "),
    ("POST", "models/half_plus:predict", "{}", 400, "Missing 'inputs' or 'instances' key"),
    ("POST", "models/half_plus:predict", "", 400, "JSON Parse error: The document is empty"),
    ("POST", "models/half_plus:predict", "instances = [1]", 400, "JSON Parse error: Invalid value. at offset: 0"),
    ("POST", "models/half_plus:predict", '{"instances": [1,}', 400, "JSON Parse error: Invalid value. at offset: 17"),
    ("POST", "models/half_plus:predict", "[1]", 400, "Is not object"),
    ("POST", "models/half_plus:predict", '{"instances": 1}', 400, "Excepting 'instances' to be an list/array"),
    ("POST", "models/half_plus:predict", '{"instances": []}', 400, "No values in 'instances' array"),
    ("POST", "models/half_plus:predict", '{"instances": ["x"]}', 400, "is not of expected type: float"),
    ("POST", "models/half_plus:predict", '{"instances": [16777217]}', 400,
     "Cannot convert JSON value: 16777217 to float without loss of precision."),
    ("POST", "models/half_plus:predict", '{"instances": [[1, 2], [3]]}', 400, "Expecting tensor size: 2 but got: 1"),
    ("POST", "models/half_plus:predict", '{"instances": [1, [1]]}', 400, "Expecting shape [] but got: [1]"),
    ("POST", "models/half_plus:predict", '{"instances": [{"x": 1}, 2]}', 400,
     "Expecting object but got list at item 1 of input list"),
    ("POST", "models/half_plus:predict", '{"instances": [1, {"x": 1}]}', 400,
     "Expecting value/list but got object at item 1 of input list"),
    ("POST", "models/half_plus:predict", '{"instances": [{"z": 1}]}', 400, "does not have named input: z"),
    ("POST", "models/half_plus:predict", '{"inputs": {"z": 1}}', 400, "Missing named input: x in 'inputs' object."),
    ("POST", "models/kinds:predict", '{"instances": [1]}', 400,
     "instances is a plain list, but expecting list of objects as multiple input tensors required"),
    ("POST", "models/kinds:predict",
     '{"inputs": {"text": [{"b64": "!"}], "whole": [[1]], "truth": [true], "real": [1]}}', 400,
     "Unable to base64 decode"),
    ("POST", "models/kinds:predict", '{"signature_name": "total", "instances": [1, 2]}', 400, "Tensor name: "),
    ("POST", "models/pixels:predict", '{"instances": [0.5]}', 400, "is not of expected type: uint8"),
    ("POST", "models/slow:predict", '{"instances": [1000000000000]}', 504, ""),
    ("POST", "models/half_plus:classify", '{"examples": [{"x": 1.0}]}', 400,
     "No classification inputs found in SignatureDef: "),
    ("POST", "models/half_plus:regress", '{"signature_name": "regress"}', 400,
     "'examples' is expected and was not found"),
    ("POST", "models/half_plus:regress", '{"signature_name": "regress", "examples": [1]}', 400,
     "Example must be JSON object but got JSON Number"),
    ("POST", "models/half_plus:regress", '{"signature_name": "regress", "examples": [{"x": [[1.0]]}]}', 400,
     "Feature: x has element with unexpected JSON type: Array"),
    ("POST", "models/half_plus:regress", '{"signature_name": "regress", "examples": [{"x": [1.0, 1]}]}', 400,
     "Unexpected element type in feature: x expecting type: float"),
    ("GET", "models/half_plus:predict", None, 400, "Malformed request: GET /v1/models/half_plus:predict"),
    ("POST", "models/half_plus", "", 400, "Malformed request: POST /v1/models/half_plus"),
    ("POST", "models/half_plus/version/2:predict", "", 400, "Malformed request: POST"),
    ("PUT", "models/half_plus:predict", "", 400, "Malformed request: PUT /v1/models/half_plus:predict"),
    ("GET", "models", None, 400, "Missing model name in request."),
    ("GET", "zzz", None, 400, "Malformed request: GET /v1/zzz"),
    ("GET", "models/nobody", None, 404, "Could not find any versions of model nobody"),
    ("GET", "models/half_plus/versions/7", None, 404, "Could not find version 7 of model half_plus"),
    ("GET", "models/nobody/metadata", None, 404, "Servable not found for request: Latest(nobody)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"), ERRORS, ids=[f"{row[0]} {row[1]} {row[2]}" for row in ERRORS]
)
def test_errors_have_their_status_and_words(
    server: Running, method: str, path: str, body: str | None, status: int, message: str
) -> None:
    response = requests.request(method, f"{server.rest_url}/v1/{path}", data=body, timeout=SECONDS)
    assert (response.status_code, list(response.json())) == (status, ["error"]), response.text
    assert message in response.json()["error"]


@pytest.mark.skipif(bool(REAL_ADDRESS), reason="the real one takes these: 256 wraps to 0, the rest it ignores")
@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("pixels", '{"instances": [[[256]]]}', "JSON Value: 256 Type: Number is not of expected type: uint8"),
        ("pixels", '{"instances": [[[-1]]]}', "JSON Value: -1 Type: Number is not of expected type: uint8"),
        ("half_plus", '{"instances": [2]} garbage', "The document root must not be followed by other values."),
    ],
)
def test_plainly_wrong_values_are_refused(server: Running, path: str, body: str, message: str) -> None:
    response = post(server, f"{path}:predict", body)
    assert response.status_code == 400
    assert message in response.json()["error"]


@pytest.mark.parametrize("path", ["/", "/healthz"])
def test_other_paths_are_not_found_in_html(server: Running, path: str) -> None:
    response = requests.get(server.rest_url + path, timeout=SECONDS)
    assert response.status_code == 404
    assert "html" in response.headers["Content-Type"]


@pytest.mark.parametrize(
    ("path", "versions"),
    [
        ("half_plus", ["3", "2"]),
        ("half_plus/versions/2", ["2"]),
        ("half_plus/labels/stable", ["3", "2"]),
    ],
)
def test_status_lists_versions_as_text_highest_first(server: Running, path: str, versions: list[str]) -> None:
    response = requests.get(f"{server.rest_url}/v1/models/{path}", timeout=SECONDS)
    assert response.json() == {
        "model_version_status": [
            {"version": version, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            for version in versions
        ]
    }


def test_metadata_hold_the_signatures(server: Running) -> None:
    answer = requests.get(f"{server.rest_url}/v1/models/half_plus/versions/2/metadata", timeout=SECONDS).json()
    assert answer["model_spec"] == {"name": "half_plus", "signature_name": "", "version": "2"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}], "unknown_rank": False},
        "name": "x:0",
    }


def test_metrics_count_requests(server: Running) -> None:
    def count() -> float:
        page = requests.get(f"{server.rest_url}/monitoring/prometheus/metrics", timeout=SECONDS).text
        line = ':tensorflow:serving:request_count{model_name="half_plus",status="OK"} '
        return sum(float(text.removeprefix(line)) for text in page.splitlines() if text.startswith(line))

    before = count()
    post(server, "half_plus:predict", {"instances": [2]})
    assert count() == before + 1
