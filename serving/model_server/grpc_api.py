"""The gRPC face: PredictionService, ModelService and grpc.health.v1."""

import functools
from collections.abc import Callable
from typing import Any

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.model_server import inference
from serving.model_server.errors import ServingError, as_serving_error, invalid_argument
from serving.model_server.store import Store


def _answer(method: Callable[..., Any]) -> Callable[..., Any]:
    """Turn an exception of `method` into the call's status; a client sees no stack trace."""

    @functools.wraps(method)
    def answer(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except ServingError as error:
            context.abort(error.code, error.message)
        except Exception as error:
            failure = as_serving_error(error)
            context.abort(failure.code, failure.message)

    return answer


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """tensorflow.serving.PredictionService on a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @_answer
    def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Run a signature on the tensors of the request."""
        _check_spec(request)
        with self._store.use(request.model_spec) as servable:
            return inference.predict(servable, request, context.time_remaining())

    @_answer
    def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Answer with the signatures of a model."""
        return model_metadata(self._store, request)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """tensorflow.serving.ModelService on a store."""

    def __init__(self, store: Store, configure: Callable) -> None:
        self._store = store
        self._configure = configure

    @_answer
    def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Answer with the states of a model's versions."""
        _check_spec(request)
        statuses = self._store.statuses(request.model_spec)
        return get_model_status_pb2.GetModelStatusResponse(model_version_status=statuses)

    @_answer
    def HandleReloadConfigRequest(  # noqa: N802
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Replace the list of models, and wait until new ones are AVAILABLE."""
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        added = self._configure(request.config)
        context.add_callback(self._store.wake)
        self._store.wait_until_available(added, cancelled=lambda: not context.is_active())
        return model_management_pb2.ReloadConfigResponse()


def _check_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")


def model_metadata(
    store: Store, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Answer a GetModelMetadataRequest; signature_def is the only field there is."""
    _check_spec(request)
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != "signature_def":
            raise invalid_argument(f"Metadata field {field} is not supported")
    with store.use(request.model_spec) as servable:
        response = get_model_metadata_pb2.GetModelMetadataResponse(
            model_spec=inference.resolved_spec(servable, request.model_spec.name)
        )
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
    response.metadata["signature_def"].Pack(signatures)
    return response
