"""What both faces do with a request: check it, find its servable, run it, count it."""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.model_server import examples, inference
from serving.model_server.errors import ServingError, as_serving_error, invalid_argument
from serving.model_server.metrics import Metrics
from serving.model_server.servable import BatchingServable, Servable
from serving.model_server.store import Store


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
        held = ExitStack()

        def end(compute: Callable[[], predict_pb2.PredictResponse]) -> None:
            answer: predict_pb2.PredictResponse | ServingError
            try:
                with held:
                    answer = compute()
            except Exception as error:
                answer = as_serving_error(error)
            deliver(answer)

        try:
            servable = held.enter_context(self._counted("Predict", _spec(request)))
            assert isinstance(servable, BatchingServable)
            plan = inference.make_plan(servable, request)
            servable.submit(
                plan.feeds,
                plan.fetches,
                timeout,
                lambda task: end(lambda: inference.respond(servable, request, plan, task.outcome())),
            )
        except Exception as error:
            end(functools.partial(_raise, error))

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
        started = time.monotonic()
        status = "OK"
        try:
            with self.store.use(spec) as servable:
                yield servable
        except Exception as error:
            failure = as_serving_error(error)
            status = failure.code.name
            raise failure from error
        finally:
            # A name that only a client knows must not become a time series.
            model = spec.name if self.store.knows(spec.name) else ""
            self._metrics.record(model, api, self._entrypoint, status, time.monotonic() - started)

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


def _raise(error: Exception) -> NoReturn:
    raise error


def _spec(request: Any) -> model_pb2.ModelSpec:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return request.model_spec
