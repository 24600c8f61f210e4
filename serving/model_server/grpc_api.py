"""The gRPC face: PredictionService, ModelService and grpc.health.v1."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc import _server
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.errors import ServingError, as_serving_error, invalid_argument
from serving.model_server.service import Service

Configure = Callable[[model_server_config_pb2.ModelServerConfig], set[str]]

_A_DAY = 86_400.0
# With batching these only parse requests; more of them would only compete for the interpreter.
_PREDICT_THREADS = 1


def _answer(method: Callable[[Any, Any, grpc.ServicerContext], Any]) -> Callable[[Any, Any, grpc.ServicerContext], Any]:
    """Turn an exception of `method` into the call's status; a client sees no stack trace."""

    @functools.wraps(method)
    def answer(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except Exception as error:
            failure = as_serving_error(error)
            context.abort(failure.code, failure.message)

    return answer


def _time_left(context: grpc.ServicerContext) -> float | None:
    """Return the seconds until the client's deadline, None without one: gRPC then says infinity."""
    seconds = context.time_remaining()
    return seconds if seconds < _A_DAY else None


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """tensorflow.serving.PredictionService. The client's deadline is the time limit of the run."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @_answer
    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: D102, N802
        return self._service.predict(request, _time_left(context))

    @_answer
    def Classify(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: D102, N802
        return self._service.classify(request, _time_left(context))

    @_answer
    def Regress(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: D102, N802
        return self._service.regress(request, _time_left(context))

    @_answer
    def MultiInference(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: D102, N802
        return self._service.multi_inference(request, _time_left(context))

    @_answer
    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: D102, N802
        return self._service.model_metadata(request)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """tensorflow.serving.ModelService."""

    def __init__(self, service: Service, configure: Configure) -> None:
        self._service = service
        self._configure = configure

    @_answer
    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: D102, N802
        return self._service.model_status(request)

    @_answer
    def HandleReloadConfigRequest(  # noqa: D102, N802
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        added = self._configure(request.config)
        # New models are waited for; a client that goes away ends the waiting, not the loading.
        context.add_callback(self._service.store.wake)
        self._service.store.wait_until_available(added, cancelled=lambda: not context.is_active())
        return model_management_pb2.ReloadConfigResponse()


def _batched_predict(service: Service) -> grpc.RpcMethodHandler:
    """Return a handler of Predict whose threads do not wait for the batch; the batch's thread sends the answers."""

    def predict(request: predict_pb2.PredictRequest, context: Any, send: object) -> None:
        def deliver(answer: predict_pb2.PredictResponse | ServingError) -> None:
            message = None
            if isinstance(answer, ServingError):
                context.set_code(answer.code)
                context.set_details(answer.message)
            else:
                message = answer.SerializeToString()
            # `send` would wait until this client has read the message, and all others with it; gRPC's own way of
            # ending a unary call does not, and takes one step for what takes `send` two.
            _server._status(context._rpc_event, context._state, message)

        service.predict_later(request, _time_left(context), deliver)

    # On the wire a call with one answer is a stream of one; only streams may be answered from another thread.
    predict.experimental_non_blocking = True  # type: ignore[attr-defined]
    predict.experimental_thread_pool = ThreadPoolExecutor(_PREDICT_THREADS, "predict")  # type: ignore[attr-defined]
    return grpc.unary_stream_rpc_method_handler(predict, predict_pb2.PredictRequest.FromString)


def add_services(server: grpc.Server, service: Service, configure: Configure, with_health: bool, batched: bool) -> None:
    """Register all services with `server`, grpc.health.v1 only `with_health`; `batched` where servables batch."""
    if batched:  # what is registered first comes first
        handlers = {"Predict": _batched_predict(service)}
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", handlers),)
        )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(service), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(service, configure), server)
    if with_health:
        servicer = health.HealthServicer()
        servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
