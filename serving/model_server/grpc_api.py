"""The gRPC face: PredictionService, ModelService and grpc.health.v1."""

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from tensorflow_serving.apis import (
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.errors import ServingError, as_serving_error, invalid_argument
from serving.model_server.mailbox import Answer, Mailbox
from serving.model_server.service import Service

Configure = Callable[[model_server_config_pb2.ModelServerConfig], set[str]]
Handler = Callable[[Any, Any, grpc.aio.ServicerContext], Awaitable[Any]]

_A_DAY = 86_400.0


def _answer(method: Handler) -> Handler:
    """Turn an exception of `method` into the call's status; a client sees no stack trace."""

    @functools.wraps(method)
    async def answer(self: Any, request: Any, context: grpc.aio.ServicerContext) -> Any:
        try:
            return await method(self, request, context)
        except Exception as error:
            failure = as_serving_error(error)
        await context.abort(failure.code, failure.message)

    return answer


async def _reply(context: grpc.aio.ServicerContext, answered: "asyncio.Future[Answer]") -> Any:
    """Return the answer that comes, or end the call with the status of the error."""
    answer = await answered
    if isinstance(answer, ServingError):
        await context.abort(answer.code, answer.message)
    return answer


def _time_left(context: grpc.aio.ServicerContext) -> float | None:
    """Return the seconds until the client's deadline, None without one."""
    seconds = context.time_remaining()
    return seconds if seconds is not None and seconds < _A_DAY else None


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """tensorflow.serving.PredictionService. The client's deadline is the time limit of the run."""

    def __init__(self, service: Service, threads: Executor, batched: bool) -> None:
        """Run calls in `threads`; with `batched`, Predict waits for its batch without one."""
        self._service = service
        self._batched = batched
        self._mailbox = Mailbox()
        self._in_thread = functools.partial(self._mailbox.answer_in, threads)

    async def Predict(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: D102, N802
        if self._batched:
            answered = self._mailbox.expect()
            deliver = functools.partial(self._mailbox.post, answered)
            self._service.predict_later(request, _time_left(context), deliver)
        else:
            answered = self._in_thread(self._service.predict, request, _time_left(context))
        return await _reply(context, answered)

    async def Classify(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: D102, N802
        return await _reply(context, self._in_thread(self._service.classify, request, _time_left(context)))

    async def Regress(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: D102, N802
        return await _reply(context, self._in_thread(self._service.regress, request, _time_left(context)))

    async def MultiInference(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: D102, N802
        return await _reply(context, self._in_thread(self._service.multi_inference, request, _time_left(context)))

    async def GetModelMetadata(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: D102, N802
        return await _reply(context, self._in_thread(self._service.model_metadata, request))


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """tensorflow.serving.ModelService."""

    def __init__(self, service: Service, configure: Configure) -> None:
        self._service = service
        self._configure = configure

    @_answer
    async def GetModelStatus(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: D102, N802
        return self._service.model_status(request)

    @_answer
    async def HandleReloadConfigRequest(  # noqa: D102, N802
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.aio.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        store, gone = self._service.store, threading.Event()

        def reload() -> None:
            added = self._configure(request.config)
            store.wait_until_available(added, cancelled=gone.is_set)

        # New models are waited for, without limit, so not in the threads that answer; a client that goes away ends the
        # waiting, not the loading.
        try:
            await asyncio.to_thread(reload)
        except asyncio.CancelledError:
            gone.set()
            store.wake()
            raise
        return model_management_pb2.ReloadConfigResponse()


def add_services(
    server: grpc.aio.Server, service: Service, configure: Configure, threads: Executor, batched: bool
) -> None:
    """Register the services of TensorFlow Serving; `batched` where servables batch."""
    prediction = PredictionService(service, threads, batched)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(service, configure), server)


def add_health(server: grpc.aio.Server) -> None:
    """Register grpc.health.v1, which says SERVING of the server as a whole."""
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
