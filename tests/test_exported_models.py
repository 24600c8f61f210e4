"""Exported models answer alike in the three ways that people run them."""

import json
from pathlib import Path

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
