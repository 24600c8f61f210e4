"""TF Serving's behaviour over gRPC, a row each; see conftest.py for running this against the real one."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from testing.running_model_server import Running

pytestmark = pytest.mark.slow

SECONDS = 20
REQUESTS = {
    "Predict": predict_pb2.PredictRequest,
    "Classify": classification_pb2.ClassificationRequest,
    "Regress": regression_pb2.RegressionRequest,
    "MultiInference": inference_pb2.MultiInferenceRequest,
    "GetModelMetadata": get_model_metadata_pb2.GetModelMetadataRequest,
    "GetModelStatus": get_model_status_pb2.GetModelStatusRequest,
}
X = 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 2 } }'
EXAMPLE = 'input { example_list { examples { features { feature { key: "x" value { float_list { value: 2 } } } } } } }'


def call(server: Running, method: str, text: str, seconds: float | None = SECONDS) -> Any:
    stub = server.model if method == "GetModelStatus" else server.prediction
    return getattr(stub, method)(text_format.Parse(text, REQUESTS[method]()), timeout=seconds)


def images(*shape: int) -> str:
    dims = "".join(f"dim {{ size: {size} }}" for size in shape)
    count = int(np.prod(shape))
    content = "\\000" * count
    return (
        f'inputs {{ key: "images" value {{ dtype: DT_UINT8 tensor_shape {{ {dims} }} tensor_content: "{content}" }} }}'
    )


@pytest.mark.parametrize(
    ("spec", "version", "signature", "value"),
    [
        pytest.param('name: "half_plus"', 3, "serving_default", 4.0, id="latest"),
        pytest.param('name: "half_plus" version { value: 2 }', 2, "serving_default", 3.0, id="version"),
        pytest.param('name: "half_plus" version_label: "stable"', 2, "serving_default", 3.0, id="label"),
        pytest.param('name: "half_plus" version_label: "canary"', 3, "serving_default", 4.0, id="another label"),
        pytest.param('name: "half_plus" signature_name: "both"', 3, "both", 4.0, id="signature"),
    ],
)
def test_an_answer_echoes_the_resolved_model_spec(
    server: Running, spec: str, version: int, signature: str, value: float
) -> None:
    response = call(server, "Predict", f"model_spec {{ {spec} }} {X}")
    assert response.model_spec.name == "half_plus"
    assert response.model_spec.version.value == version
    assert response.model_spec.signature_name == signature
    assert response.outputs["y"].float_val == [value]
    assert not response.outputs["y"].tensor_content


def test_many_calls_on_one_connection_are_all_answered(server: Running) -> None:
    def answer(number: int) -> float:
        text = f'model_spec {{ name: "half_plus" }} {X.replace("val: 2", f"val: {number}")}'
        return call(server, "Predict", text).outputs["y"].float_val[0]

    with ThreadPoolExecutor(64) as threads:
        assert list(threads.map(answer, range(600))) == [number / 2 + 3 for number in range(600)]


def test_an_output_filter_chooses_outputs(server: Running) -> None:
    text = f'model_spec {{ name: "half_plus" signature_name: "both" }} {X}'
    assert set(call(server, "Predict", text).outputs) == {"y", "negative"}
    response = call(server, "Predict", f'{text} output_filter: "negative"')
    assert set(response.outputs) == {"negative"}
    assert response.outputs["negative"].float_val == [-4.0]


@pytest.mark.parametrize(
    ("values", "answers"),
    [
        pytest.param("float_val: 2 float_val: 4 float_val: 6", [4.0, 5.0, 6.0], id="as many as declared"),
        pytest.param("float_val: 2 float_val: 4", [4.0, 5.0, 5.0], id="the last is repeated"),
        pytest.param("float_val: 2", [4.0, 4.0, 4.0], id="one for all"),
        pytest.param(
            'tensor_content: "\\000\\000\\000\\100\\000\\000\\200\\100\\000\\000\\300\\100"',
            [4.0, 5.0, 6.0],
            id="bytes",
        ),
    ],
)
def test_inputs_may_be_typed_fields_or_bytes(server: Running, values: str, answers: list[float]) -> None:
    tensor = f"dtype: DT_FLOAT tensor_shape {{ dim {{ size: 3 }} }} {values}"
    response = call(server, "Predict", f'model_spec {{ name: "half_plus" }} inputs {{ key: "x" value {{ {tensor} }} }}')
    assert response.outputs["y"].float_val == answers


@pytest.mark.parametrize(
    ("shape", "answer"),
    [
        pytest.param((2, 28, 28), (2, 10), id="as declared"),
        pytest.param((1, 784), (1, 10), id="another shape of as many values"),
        pytest.param((0, 28, 28), (0, 10), id="no image"),
    ],
)
def test_the_shape_of_a_signature_is_not_checked(
    server: Running, shape: tuple[int, ...], answer: tuple[int, ...]
) -> None:
    response = call(server, "Predict", f'model_spec {{ name: "pixels" }} {images(*shape)}')
    assert tuple(dim.size for dim in response.outputs["probabilities"].tensor_shape.dim) == answer
    assert len(response.outputs["probabilities"].float_val) == np.prod(answer)


def test_a_signature_may_have_a_scalar_input(server: Running) -> None:
    scalar = 'inputs { key: "samples" value { dtype: DT_INT32 tensor_shape {} int_val: 7 } }'
    text = f'model_spec {{ name: "pixels" signature_name: "repeated" }} {images(2, 28, 28)} {scalar}'
    assert call(server, "Predict", text).outputs["samples"].int_val == [7, 7]


def test_every_type_keeps_its_type(server: Running) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "kinds"
    inputs = {"text": [b"\xff"], "whole": [[2**40]], "truth": [True], "real": np.array([1], np.float32)}
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    outputs = server.prediction.Predict(request, timeout=SECONDS).outputs
    assert outputs["text"].string_val == [b"\xff"]
    assert outputs["whole"].int64_val == [2**40]
    assert outputs["truth"].bool_val == [True]
    assert outputs["real"].float_val == [0.0]
    request = text_format.Parse('model_spec { name: "kinds" signature_name: "total" }', predict_pb2.PredictRequest())
    request.inputs["real"].CopyFrom(tf.make_tensor_proto(np.array([0.5, 1.0], np.float32)))
    outputs = server.prediction.Predict(request, timeout=SECONDS).outputs
    assert outputs["half"].half_val == [0x3800, 0x3C00]
    assert outputs["count"].int_val == [2]
    assert outputs["count"].tensor_shape.dim == []


def test_examples_are_classified_and_regressed(server: Running) -> None:
    response = call(server, "Classify", f'model_spec {{ name: "half_plus" signature_name: "classify" }} {EXAMPLE}')
    assert [(one.label, one.score) for one in response.result.classifications[0].classes] == [("large", 4.0)]
    assert response.model_spec.version.value == 3
    response = call(server, "Classify", f'model_spec {{ name: "half_plus" signature_name: "scores_only" }} {EXAMPLE}')
    assert [(one.label, one.score) for one in response.result.classifications[0].classes] == [("", 4.0)]
    response = call(server, "Regress", f'model_spec {{ name: "half_plus" signature_name: "regress" }} {EXAMPLE}')
    assert [one.value for one in response.result.regressions] == [4.0]
    assert response.model_spec.signature_name == "regress"


def test_examples_share_their_context(server: Running) -> None:
    context = 'context { features { feature { key: "x" value { float_list { value: 6 } } } } }'
    given = f"input {{ example_list_with_context {{ {context} examples {{}} examples {{}} }} }}"
    response = call(server, "Regress", f'model_spec {{ name: "half_plus" signature_name: "regress" }} {given}')
    assert [one.value for one in response.result.regressions] == [6.0, 6.0]


def test_several_signatures_answer_in_one_call(server: Running) -> None:
    spec = 'model_spec {{ name: "half_plus" signature_name: "{}" }}'
    tasks = [
        f'tasks {{ {spec.format("regress_negative")} method_name: "tensorflow/serving/regress" }}',
        f'tasks {{ {spec.format("classify")} method_name: "tensorflow/serving/classify" }}',
    ]
    results = call(server, "MultiInference", f"{' '.join(tasks)} {EXAMPLE}").results
    assert results[0].regression_result.regressions[0].value == -4.0
    assert results[1].classification_result.classifications[0].classes[0].label == "large"
    assert [result.model_spec.signature_name for result in results] == ["regress_negative", "classify"]
    assert {result.model_spec.version.value for result in results} == {3}


def test_signatures_of_tensorflow_2_classify_and_regress(server: Running) -> None:
    def spec(signature: str) -> str:
        return f'model_spec {{ name: "native" signature_name: "{signature}" }}'

    classified = call(server, "Classify", f"{spec('classify')} {EXAMPLE}").result
    assert [(one.label, one.score) for one in classified.classifications[0].classes] == [("", 3.0)]
    assert [one.value for one in call(server, "Regress", f"{spec('regress')} {EXAMPLE}").result.regressions] == [3.0]
    tasks = " ".join(
        f'tasks {{ {spec(verb)} method_name: "tensorflow/serving/{verb}" }}' for verb in ("regress", "classify")
    )
    results = call(server, "MultiInference", f"{tasks} {EXAMPLE}").results
    assert results[0].regression_result.regressions[0].value == 3.0
    assert results[1].classification_result.classifications[0].classes[0].score == 3.0


def test_metadata_hold_the_signatures(server: Running) -> None:
    text = 'model_spec { name: "half_plus" } metadata_field: "signature_def"'
    response = call(server, "GetModelMetadata", text)
    assert response.model_spec.name == "half_plus"
    assert response.model_spec.version.value == 3
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert signatures.signature_def["serving_default"].inputs["x"].name == "x:0"
    assert {"serving_default", "both", "classify", "regress"} <= set(signatures.signature_def)


def test_status_lists_versions(server: Running) -> None:
    response = call(server, "GetModelStatus", 'model_spec { name: "half_plus" }')
    states = {one.version: (one.state, one.status.error_code) for one in response.model_version_status}
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert states == {2: (available, 0), 3: (available, 0)}
    response = call(server, "GetModelStatus", 'model_spec { name: "half_plus" version { value: 2 } }')
    assert [one.version for one in response.model_version_status] == [2]


ERRORS = [
    ("Predict", f'model_spec {{ name: "nobody" }} {X}', StatusCode.NOT_FOUND,
     "Servable not found for request: Latest(nobody)"),
    ("Predict", f'model_spec {{ name: "half_plus" version {{ value: 7 }} }} {X}', StatusCode.NOT_FOUND,
     "Servable not found for request: Specific(half_plus, 7)"),
    ("Predict", f'model_spec {{ name: "half_plus" version_label: "none" }} {X}', StatusCode.INVALID_ARGUMENT,
     "Unrecognized servable version label: none"),
    ("Predict", f'model_spec {{ name: "half_plus" signature_name: "zzz" }} {X}', StatusCode.FAILED_PRECONDITION,
     'Serving signature key "zzz" not found.'),
    ("Predict", X, StatusCode.INVALID_ARGUMENT, "Missing ModelSpec"),
    ("Predict", 'model_spec { name: "pixels" } inputs { key: "images" value { dtype: DT_UINT8 tensor_shape {'
     ' dim { size: 2 } } tensor_content: "a" } }', StatusCode.INVALID_ARGUMENT, "tensor parsing error: images"),
    ("Predict", f'model_spec {{ name: "pixels" }} {X.replace("x", "images", 1)}', StatusCode.INVALID_ARGUMENT,
     "Expects arg[0] to be uint8 but float is provided"),
    ("Predict", f'model_spec {{ name: "pixels" }} {X}', StatusCode.INVALID_ARGUMENT,
     "Signature input alias: images(feed name: serving_default_images:0) not found in request and no default value "
     "provided. Inputs expected to be in the request {x}, or default input alias set: "),
    ("Predict", 'model_spec { name: "pixels" }', StatusCode.INVALID_ARGUMENT,
     "input size does not match signature: 0!=1 len({}) != len({images}). Sent extra: {}. "
     "Missing but required: {images}."),
    ("Predict", f'model_spec {{ name: "pixels" }} {images(1, 3)}', StatusCode.INVALID_ARGUMENT,
     "Input to reshape is a tensor with 3 values"),
    ("Predict", f'model_spec {{ name: "half_plus" }} {X} output_filter: "zzz"', StatusCode.INVALID_ARGUMENT,
     "output tensor alias not found in signature: zzz Outputs expected to be in the set {y}."),
    ("Predict", f'model_spec {{ name: "half_plus" }} {X} output_filter: "y" output_filter: "y"',
     StatusCode.INVALID_ARGUMENT, "duplicate output tensor alias: y"),
    ("Classify", f'model_spec {{ name: "half_plus" signature_name: "zzz" }} {EXAMPLE}', StatusCode.INVALID_ARGUMENT,
     "No signature was found with the name: zzz"),
    ("Classify", f'model_spec {{ name: "half_plus" }} {EXAMPLE}', StatusCode.INVALID_ARGUMENT,
     "No classification inputs found in SignatureDef: "),
    ("Classify", f'model_spec {{ name: "pixels" signature_name: "repeated" }} {EXAMPLE}', StatusCode.INVALID_ARGUMENT,
     "Expected one input Tensor."),
    ("Classify", f'model_spec {{ name: "half_plus" signature_name: "regress" }} {EXAMPLE}',
     StatusCode.INVALID_ARGUMENT, 'Expected classification signature outputs to contain at least one of "classes" or '
     '"scores". Signature was: '),
    ("Regress", f'model_spec {{ name: "half_plus" signature_name: "classify" }} {EXAMPLE}',
     StatusCode.INVALID_ARGUMENT, "Expected one output Tensor."),
    ("Regress", f'model_spec {{ name: "half_plus" signature_name: "scores_only" }} {EXAMPLE}',
     StatusCode.INVALID_ARGUMENT, "No regression outputs found in SignatureDef: "),
    ("Regress", 'model_spec { name: "half_plus" signature_name: "regress" }', StatusCode.INVALID_ARGUMENT,
     "Input is empty."),
    ("MultiInference", EXAMPLE, StatusCode.INVALID_ARGUMENT, "Inference request must have at least one task"),
    ("MultiInference", f'tasks {{ model_spec {{ name: "half_plus" }} method_name: "tensorflow/serving/predict" }}'
     f" {EXAMPLE}", StatusCode.UNIMPLEMENTED, "Unsupported signature method_name: tensorflow/serving/predict"),
    ("GetModelMetadata", 'model_spec { name: "half_plus" }', StatusCode.INVALID_ARGUMENT,
     "GetModelMetadataRequest must specify at least one metadata_field"),
    ("GetModelMetadata", 'model_spec { name: "half_plus" } metadata_field: "zzz"', StatusCode.INVALID_ARGUMENT,
     "is not supported"),
    ("GetModelStatus", 'model_spec { name: "nobody" }', StatusCode.NOT_FOUND,
     "Could not find any versions of model nobody"),
    ("GetModelStatus", 'model_spec { name: "half_plus" version { value: 7 } }', StatusCode.NOT_FOUND,
     "Could not find version 7 of model half_plus"),
    ("GetModelStatus", "", StatusCode.INVALID_ARGUMENT, "Missing ModelSpec"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "text", "code", "message"), ERRORS, ids=[f"{row[0]}: {row[3]}" for row in ERRORS])
def test_errors_have_their_code_and_words(
    server: Running, method: str, text: str, code: StatusCode, message: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(server, method, text)
    assert caught.value.code() is code
    assert message in str(caught.value.details())


def test_the_deadline_ends_the_run(server: Running) -> None:
    endless = 'inputs { key: "n" value { dtype: DT_INT64 tensor_shape { dim { size: 1 } } int64_val: 1000000000000 } }'
    for _ in range(20):  # more than there are threads: each must be free again
        with pytest.raises(grpc.RpcError) as caught:
            call(server, "Predict", f'model_spec {{ name: "slow" }} {endless}', seconds=0.1)
        assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
    assert call(server, "Predict", f'model_spec {{ name: "half_plus" }} {X}').outputs["y"].float_val == [4.0]


@pytest.mark.parametrize("seconds", [None, 1e8])
def test_a_call_needs_no_deadline(server: Running, seconds: float | None) -> None:
    response = call(server, "Predict", f'model_spec {{ name: "half_plus" }} {X}', seconds)
    assert response.outputs["y"].float_val == [4.0]


def test_health_is_told(server: Running) -> None:
    response = health_pb2_grpc.HealthStub(server.channel).Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert response.status == health_pb2.HealthCheckResponse.SERVING
    watch = health_pb2_grpc.HealthStub(server.channel).Watch(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


@pytest.mark.parametrize("service", ["tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"])
def test_health_is_told_by_name(server: Running, service: str) -> None:
    request = health_pb2.HealthCheckRequest(service=service)
    response = health_pb2_grpc.HealthStub(server.channel).Check(request, timeout=SECONDS)
    assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_a_large_request_is_taken(server: Running) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "pixels"
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(np.zeros((10_000, 28, 28), np.uint8)))
    response = server.prediction.Predict(request, timeout=SECONDS)
    assert len(response.outputs["probabilities"].float_val) == 100_000
