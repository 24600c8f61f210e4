"""One Predict call of TF Serving's gRPC protocol, by its official client package."""

import os
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

ADDRESS = os.environ["PEER_MODEL_SERVER"]
VARIANT = Path(os.environ["PEER_MODEL"]).parent.name
SECONDS = 10  # deadline of a call


def request_for(pixels: np.ndarray) -> predict_pb2.PredictRequest:
    """Return the call's request for uint8 `[n, 28, 28]`."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = VARIANT
    request.model_spec.signature_name = "serving_default"
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(pixels))
    return request


def rows_of(response: predict_pb2.PredictResponse) -> np.ndarray:
    """Return the probabilities, float32 `[n, classes]`."""
    return tf.make_ndarray(response.outputs["probabilities"])
