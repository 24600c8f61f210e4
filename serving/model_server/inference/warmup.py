"""Replay of a SavedModel's warm-up records, so that no client pays for the first run of a graph."""

import os

import tensorflow as tf
from grpc import StatusCode
from tensorflow_serving.apis import prediction_log_pb2

from serving.model_server.errors import ServingError, invalid_argument
from serving.model_server.inference import examples
from serving.model_server.inference import predict as inference
from serving.model_server.models.servable import Servable

MAX_RECORDS = 1000


def warm_up(servable: Servable, iterations: int = 1) -> int:
    """Replay the records of `servable`, return how many; a record that fails fails the load."""
    path = os.path.join(servable.path, "assets.extra", "tf_serving_warmup_requests")
    if not os.path.exists(path):
        return 0
    count = 0
    for count, record in enumerate(tf.compat.v1.io.tf_record_iterator(path), 1):
        if count > MAX_RECORDS:
            raise invalid_argument(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}")
        for _ in range(iterations):
            _replay(servable, prediction_log_pb2.PredictionLog.FromString(record))
    return count


def _replay(servable: Servable, log: prediction_log_pb2.PredictionLog) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        inference.predict(servable, log.predict_log.request)
    elif kind == "classify_log":
        examples.classify(servable, log.classify_log.request)
    elif kind == "regress_log":
        examples.regress(servable, log.regress_log.request)
    elif kind == "multi_inference_log":
        examples.multi_inference(servable, log.multi_inference_log.request)
    else:
        raise ServingError(StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
