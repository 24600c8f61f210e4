"""What both faces do with a request: check it, find its servable, run it, count it."""

import time
from collections.abc import Callable, Iterator
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

from serving.model_server.batching.batch import Task
from serving.model_server.errors import ServingError, as_serving_error, invalid_argument
from serving.model_server.inference import examples
from serving.model_server.inference import predict as inference
from serving.model_server.metrics import Metrics
from serving.model_server.models.lifecycle import Version
from serving.model_server.models.registry import Store
from serving.model_server.models.servable import BatchingServable, Servable

_NOTHING = ServingError(StatusCode.OK, "")


class Service:
    """The inference and model services on a store, without a protocol. Every method raises `ServingError`."""

    def __init__(self, store: Store, metrics: Metrics, entrypoint: str) -> None:
        """Serve the models of `store` and count requests in `metrics` as those of `entrypoint` (GRPC or REST)."""
        self.store = store
        self._metrics = metrics
        self._entrypoint = entrypoint

    def predict(self, request: predict_pb2.PredictRequest, timeout: float | None) -> predict_pb2.PredictResponse:
        """Run a signature on the tensors of the request."""
        with self._counted("Predict", _spec(request)) as servable:
            return inference.predict(servable, request, timeout)

    def predict_later(
        self,
        request: predict_pb2.PredictRequest,
        timeout: float | None,
        deliver: Callable[[predict_pb2.PredictResponse | ServingError], None],
    ) -> None:
        """Have the request run in a batch; `deliver` gets the response or the error from the thread that ran it.

        So no thread waits with each request: waking them all up after a batch would cost more than the batch.
        """
        call = _Call(self.store, self._metrics, "Predict", self._entrypoint)

        def end(task: Task) -> None:
            try:
                answer = inference.respond(servable, request, plan, task.outcome())
            except Exception as error:
                deliver(call.end(error))
            else:
                call.end()
                deliver(answer)

        try:
            servable = call.begin(_spec(request))
            assert isinstance(servable, BatchingServable)
            plan = inference.make_plan(servable, request)
            servable.submit(plan.feeds, plan.fetches, timeout, end)
        except Exception as error:
            deliver(call.end(error))

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
        call = _Call(self.store, self._metrics, api, self._entrypoint)
        try:
            yield call.begin(spec)
        except Exception as error:
            raise call.end(error) from error
        else:
            call.end()

    def model_status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Return the states of a model's versions."""
        statuses = self.store.statuses(_spec(request))
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
        with self.store.use(spec) as servable:
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
        response.metadata["signature_def"].Pack(signatures)
        return response


class _Call:
    """A request from its arrival to its end, which may come in another thread: it holds its version, and is counted."""

    def __init__(self, store: Store, metrics: Metrics, api: str, entrypoint: str) -> None:
        self._store = store
        self._metrics = metrics
        self._labels = (api, entrypoint)
        self._started = time.monotonic()
        self._version: Version | None = None
        self._model = ""

    def begin(self, spec: model_pb2.ModelSpec) -> Servable:
        # A name that only a client knows must not become a time series.
        self._model = spec.name if self._store.knows(spec.name) else ""
        self._version = self._store.acquire(spec)
        assert self._version.servable
        return self._version.servable

    def end(self, error: Exception | None = None) -> ServingError:
        failure = as_serving_error(error) if error else _NOTHING
        if self._version:
            self._store.release(self._version)
        self._metrics.record(self._model, *self._labels, failure.code.name, time.monotonic() - self._started)
        return failure


def _spec(request: Any) -> model_pb2.ModelSpec:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return request.model_spec
