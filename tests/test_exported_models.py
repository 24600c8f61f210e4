"""Exported models answer alike in the three ways that people run them."""

import json
import re
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from testing.digits import digits
from testing.waiting import PATIENCE
from tests.conftest import ModelServer
from training.export import served_probabilities

pytestmark = pytest.mark.slow
INVALID = grpc.StatusCode.INVALID_ARGUMENT
IMAGES, _ = digits(64, seed=3)


@pytest.mark.parametrize("variant", ["plain", "dropout", "l2", "dropout_l2", "champion"])
def test_eager_code_a_session_and_the_model_server_agree(
    models_dir: Path, model_server: ModelServer, variant: str
) -> None:
    folder = models_dir / variant / "1"
    eager = tf.saved_model.load(str(folder)).signatures["serving_default"](images=tf.constant(IMAGES))
    request = predict_pb2.PredictRequest()
    request.model_spec.name = variant
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(IMAGES))
    with grpc.insecure_channel(model_server.grpc_address) as channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=PATIENCE)
    served = tf.make_ndarray(answer.outputs["probabilities"])
    np.testing.assert_allclose(served, eager["probabilities"], atol=1e-6)
    np.testing.assert_allclose(served, served_probabilities(folder, IMAGES), atol=1e-6)
    assert (answer.model_spec.signature_name, answer.model_spec.version.value) == ("serving_default", 1)


VARIANTS = ["plain", "dropout", "l2", "dropout_l2", "champion"]


def outcome(stub: Any, variant: str, images: np.ndarray) -> tuple[Any, str]:
    """Return the shape of an answer, or the status of a refusal, and its text without the tensor's name."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = variant
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(images))
    try:
        answer = stub.Predict(request, timeout=PATIENCE)
    except grpc.RpcError as error:
        return error.code(), re.sub(r"tensor \S+", "tensor", error.details() or "").partition("\n")[0]
    return tf.make_ndarray(answer.outputs["probabilities"]).shape, ""


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 28, 28), ((4, 10), "")),
        ((4, 784), ((4, 10), "")),
        ((4, 28, 28, 1), ((4, 10), "")),
        ((0, 28, 28), ((0, 10), "")),
        ((28, 28), (INVALID, "Shape of tensor [28,28] is not compatible with expected shape [?,784].")),
        ((2, 1568), (INVALID, "Shape of tensor [2,1568] is not compatible with expected shape [?,784].")),
        ((4, 27, 28), (INVALID, "Shape of tensor [4,756] is not compatible with expected shape [?,784].")),
    ],
)
def test_all_variants_take_and_refuse_the_same_shapes(
    model_server: ModelServer, shape: tuple[int, ...], expected: tuple[Any, str]
) -> None:
    with grpc.insecure_channel(model_server.grpc_address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        images = np.zeros(shape, np.uint8)
        assert {variant: outcome(stub, variant, images) for variant in VARIANTS} == dict.fromkeys(VARIANTS, expected)


def test_images_of_another_shape_are_the_same_images(model_server: ModelServer) -> None:
    with grpc.insecure_channel(model_server.grpc_address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for variant in VARIANTS:
            answers = []
            for shape in ((64, 28, 28), (64, 784), (64, 28, 28, 1)):
                request = predict_pb2.PredictRequest()
                request.model_spec.name = variant
                request.inputs["images"].CopyFrom(tf.make_tensor_proto(IMAGES.reshape(shape)))
                answer = stub.Predict(request, timeout=PATIENCE)
                answers.append(tf.make_ndarray(answer.outputs["probabilities"]))
            assert all((each == answers[0]).all() for each in answers)


def test_the_manifest_lists_the_signatures_that_are_served(models_dir: Path, model_server: ModelServer) -> None:
    with grpc.insecure_channel(model_server.grpc_address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for variant in json.loads((models_dir / "manifest.json").read_text())["variants"]:
            request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
            request.model_spec.name = variant["name"]
            answer = stub.GetModelMetadata(request, timeout=PATIENCE)
            signatures = get_model_metadata_pb2.SignatureDefMap()
            answer.metadata["signature_def"].Unpack(signatures)
            named = {name for name in signatures.signature_def if not name.startswith("__")}
            assert named == set(variant["signatures"])
