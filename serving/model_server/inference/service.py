"""The one path of a request, from either API: check it, find its servable, run it, count it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from grpc import StatusCode
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.model_server.errors import as_serving_error, invalid_argument
from serving.model_server.inference import examples
from serving.model_server.inference import predict as inference
from serving.model_server.metrics import Metrics
from serving.model_server.models.registry import Registry
from serving.model_server.models.servable import Servable


class Service:
    """The inference and model services, without a protocol. Every method raises `ServingError`."""

    def __init__(self, registry: Registry, metrics: Metrics, entrypoint: str) -> None:
        """Serve the models of `registry`; count requests in `metrics` under `entrypoint`, GRPC or REST."""
        self.registry = registry
        self._metrics = metrics
        self._entrypoint = entrypoint

    def predict(self, request: predict_pb2.PredictRequest, timeout: float | None) -> predict_pb2.PredictResponse:
        """Run a signature on the tensors of the request."""
        with self._counted("Predict", _spec(request)) as servable:
            return inference.predict(servable, request, timeout)

    def classify(
        self, request: classification_pb2.ClassificationRequest, timeout: float | None
    ) -> classification_pb2.ClassificationResponse:
        """Give each example of the request its labels and scores."""
        with self._counted("Classify", _spec(request)) as servable:
            return examples.classify(servable, request, timeout)

    def regress(
        self, request: regression_pb2.RegressionRequest, timeout: float | None
    ) -> regression_pb2.RegressionResponse:
        """Give each example of the request its value."""
        with self._counted("Regress", _spec(request)) as servable:
            return examples.regress(servable, request, timeout)

    def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, timeout: float | None
    ) -> inference_pb2.MultiInferenceResponse:
        """Classify and regress the same examples in one run."""
        if not request.tasks:
            raise invalid_argument("Inference request must have at least one task.")
        with self._counted("MultiInference", _spec(request.tasks[0])) as servable:
            return examples.multi_inference(servable, request, timeout)

    @contextmanager
    def _counted(self, api: str, spec: model_pb2.ModelSpec) -> Iterator[Servable]:
        """Hold the servable of `spec`, and count the request when the block ends."""
        started = time.monotonic()
        # A name that only a client knows must not become a time series.
        model = spec.name if self.registry.knows(spec.name) else ""
        status = StatusCode.OK
        try:
            with self.registry.use(spec) as servable:
                yield servable
        except Exception as error:
            failure = as_serving_error(error)
            status = failure.code
            raise failure from error
        finally:
            self._metrics.record(model, api, self._entrypoint, status.name, time.monotonic() - started)

    def model_status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Return the states of a model's versions."""
        statuses = self.registry.statuses(_spec(request))
        return get_model_status_pb2.GetModelStatusResponse(model_version_status=statuses)

    def model_metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Return the signatures of a model; signature_def is the only metadata there is."""
        spec = _spec(request)
        if not request.metadata_field:
            raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid_argument(f"Metadata field {field} is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self.registry.use(spec) as servable:
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
        response.metadata["signature_def"].Pack(signatures)
        return response


def _spec(request: Any) -> model_pb2.ModelSpec:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return request.model_spec
