"""The gRPC API: PredictionService and ModelService."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError, Message
from grpc import StatusCode
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2,
    predict_pb2,
    prediction_service_pb2,
    regression_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.errors import ServingError, as_serving_error, invalid_argument
from serving.model_server.inference.service import Service
from serving.model_server.rpc.grpc_server import Methods

Configure = Callable[[model_server_config_pb2.ModelServerConfig], set[str]]
Behaviour = Callable[[bytes, grpc.ServicerContext], bytes]

MAX_DETAIL = 2000  # characters of a status message, which must fit into the headers that a client accepts
MAX_RELOADS = 8  # that wait for their models at a time
MAX_SECONDS = 1e9  # a longer time is none: for a call without a deadline, grpcio counts to the end of its clock


NO_RELOAD = (
    "HandleReloadConfigRequest is off. Change the file of --model_config_file, which is read anew with "
    "--model_config_file_poll_wait_seconds, or start the server with --allow_reload_config_rpc."
)


def serving_methods(service: Service, configure: Configure | None) -> dict[str, Methods]:
    """Return TensorFlow Serving's services on `service`; the client's deadline is the time limit of a run.

    Without `configure` no client can change what is served.
    """
    prediction = {
        "Predict": _behaviour(predict_pb2.PredictRequest, service.predict),
        "Classify": _behaviour(classification_pb2.ClassificationRequest, service.classify),
        "Regress": _behaviour(regression_pb2.RegressionRequest, service.regress),
        "MultiInference": _behaviour(inference_pb2.MultiInferenceRequest, service.multi_inference),
        "GetModelMetadata": _behaviour(
            get_model_metadata_pb2.GetModelMetadataRequest, lambda request, _: service.model_metadata(request)
        ),
    }
    model = {
        "GetModelStatus": _behaviour(
            get_model_status_pb2.GetModelStatusRequest, lambda request, _: service.model_status(request)
        ),
        "HandleReloadConfigRequest": _reload(service, configure) if configure else _refuse_reload,
    }
    # The names of descriptors, which reflection describes once their modules are loaded.
    return {
        prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name: _handlers(prediction),
        model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name: _handlers(model),
    }


def _handlers(behaviours: dict[str, Behaviour]) -> Methods:
    # Messages are parsed in the threads that answer: grpcio's one serving thread has enough to do.
    return {name: grpc.unary_unary_rpc_method_handler(behaviour) for name, behaviour in behaviours.items()}


def _behaviour(kind: type[Message], function: Callable[[Any, float | None], Message]) -> Behaviour:
    """Return the behaviour that parses a request of type `kind` and answers with the result or error of `function`."""

    def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return function(_parse(kind, body), _seconds_left(context)).SerializeToString()
        except Exception as error:
            _abort(context, error)

    return answer


def _reload(service: Service, configure: Configure) -> Behaviour:
    """Return the behaviour of HandleReloadConfigRequest; a client that goes away ends the wait, not the loading."""

    def reload(body: bytes, context: grpc.ServicerContext) -> bytes:
        gone = threading.Event()

        def stop_waiting() -> None:
            gone.set()
            service.registry.wake()

        try:
            request = _parse(model_management_pb2.ReloadConfigRequest, body)
            if request.config.WhichOneof("config") != "model_config_list":
                raise invalid_argument(
                    "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                    "Only ModelConfigList is currently supported"
                )
            added = configure(request.config)
            context.add_callback(stop_waiting)
            service.registry.wait_until_available(added, cancelled=lambda: gone.is_set() or not context.is_active())
            return model_management_pb2.ReloadConfigResponse().SerializeToString()
        except Exception as error:
            _abort(context, error)

    # The wait for new models has no limit, so it takes none of the threads that answer other calls.
    reload.experimental_thread_pool = ThreadPoolExecutor(MAX_RELOADS, "reload")  # type: ignore[attr-defined]
    return reload


def _refuse_reload(body: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(StatusCode.PERMISSION_DENIED, NO_RELOAD)


def _parse(kind: type[Message], body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise ServingError(StatusCode.INTERNAL, f"The message is no {kind.DESCRIPTOR.full_name}.") from error


def _seconds_left(context: grpc.ServicerContext) -> float | None:
    """Return the seconds until the client's deadline, None without one; raise `ServingError` past it."""
    left = context.time_remaining()
    if left is None or left > MAX_SECONDS:
        return None
    if left <= 0:
        raise ServingError(StatusCode.DEADLINE_EXCEEDED, "The deadline passed before the call's turn came.")
    return left


def _abort(context: grpc.ServicerContext, error: Exception) -> NoReturn:
    failure = as_serving_error(error)
    context.abort(failure.code, failure.message[:MAX_DETAIL])
