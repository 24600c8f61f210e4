"""The gRPC face: PredictionService, ModelService and grpc.health.v1."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any

from google.protobuf.message import Message
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.errors import ServingError, as_serving_error, invalid_argument
from serving.model_server.inference.service import Service
from serving.model_server.rpc.grpc_server import Call, Handler

Configure = Callable[[model_server_config_pb2.ModelServerConfig], set[str]]

_PREDICTION = "/tensorflow.serving.PredictionService/"
_MODEL = "/tensorflow.serving.ModelService/"
_HEALTH = "/grpc.health.v1.Health/"


def serving_methods(service: Service, configure: Configure, threads: Executor, batched: bool) -> Mapping[str, Handler]:
    """Return the methods of TensorFlow Serving, run in `threads`; with `batched`, Predict waits without one.

    The client's deadline is the time limit of a run.
    """

    def in_thread(kind: type[Message], function: Callable[[Any, float | None], Message]) -> Handler:
        return lambda call: threads.submit(_answer, kind, function, call)

    def without_limit(function: Callable[[Any], Message]) -> Callable[[Any, float | None], Message]:
        return lambda request, _: function(request)

    predict = partial(_predict_later, service) if batched else in_thread(predict_pb2.PredictRequest, service.predict)
    return {
        _PREDICTION + "Predict": predict,
        _PREDICTION + "Classify": in_thread(classification_pb2.ClassificationRequest, service.classify),
        _PREDICTION + "Regress": in_thread(regression_pb2.RegressionRequest, service.regress),
        _PREDICTION + "MultiInference": in_thread(inference_pb2.MultiInferenceRequest, service.multi_inference),
        _PREDICTION + "GetModelMetadata": in_thread(
            get_model_metadata_pb2.GetModelMetadataRequest, without_limit(service.model_metadata)
        ),
        _MODEL + "GetModelStatus": in_thread(
            get_model_status_pb2.GetModelStatusRequest, without_limit(service.model_status)
        ),
        _MODEL + "HandleReloadConfigRequest": partial(_reload, service, configure),
    }


def health_methods() -> Mapping[str, Handler]:
    """Return grpc.health.v1, which says SERVING of the server as a whole."""
    return {_HEALTH + "Check": partial(_answer, health_pb2.HealthCheckRequest, _health), _HEALTH + "Watch": _watch}


def _answer(kind: type[Message], function: Callable[[Any, float | None], Message], call: Call) -> None:
    """Answer a call by what `function` returns or raises; a client sees no stack trace."""
    if call.gone:
        return
    try:
        call.reply(function(call.request(kind), call.seconds_left()))
    except Exception as error:
        call.fail(as_serving_error(error))


def _predict_later(service: Service, call: Call) -> None:
    def deliver(answer: Message | ServingError) -> None:
        if isinstance(answer, ServingError):
            call.fail(answer)
        else:
            call.reply(answer)

    try:
        service.predict_later(call.request(predict_pb2.PredictRequest), call.seconds_left(), deliver)
    except ServingError as error:
        call.fail(error)


def _reload(service: Service, configure: Configure, call: Call) -> None:
    gone = threading.Event()

    def reload(request: model_management_pb2.ReloadConfigRequest, _: float | None) -> Message:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        added = configure(request.config)
        service.store.wait_until_available(added, cancelled=gone.is_set)
        return model_management_pb2.ReloadConfigResponse()

    def stop_waiting() -> None:
        gone.set()
        service.store.wake()

    # New models are waited for, without limit, so not in the threads that answer; a client that goes away ends the
    # waiting, not the loading.
    call.when_gone(stop_waiting)
    arguments = (model_management_pb2.ReloadConfigRequest, reload, call)
    threading.Thread(target=_answer, args=arguments, daemon=True, name="reload").start()


def _health(request: health_pb2.HealthCheckRequest, _: float | None) -> health_pb2.HealthCheckResponse:
    if request.service:
        raise ServingError(StatusCode.NOT_FOUND, f"There is no service {request.service}; the server's own name is ''.")
    return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


def _watch(call: Call) -> None:
    """Say how it is, and leave the call open: it does not change before the server ends."""
    try:
        asked = call.request(health_pb2.HealthCheckRequest)
    except ServingError as error:
        call.fail(error)
        return
    known = health_pb2.HealthCheckResponse
    call.tell(known(status=known.SERVICE_UNKNOWN if asked.service else known.SERVING))
