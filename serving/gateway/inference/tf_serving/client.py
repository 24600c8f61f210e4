"""Call the model server over gRPC."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import grpc
import numpy as np
from numpy.typing import NDArray

from serving.gateway.errors import BadGateway, DeadlineExceeded, GatewayError, Unavailable
from serving.gateway.inference.tf_serving import wire_pb2 as wire
from serving.gateway.inference.tf_serving.messages import Images, predict_request, read_floats, status_request

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
AVAILABLE, UNREACHABLE = "AVAILABLE", "UNREACHABLE"

MOST_BYTES = 64 * 2**20  # of an answer
# Predict changes nothing, so a call that found no server may be made once more, at once.
RETRY_ONCE = {
    "maxAttempts": 2,
    "initialBackoff": "0.001s",
    "maxBackoff": "0.001s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
OPTIONS = (
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    # A server that returns is noticed soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": RETRY_ONCE}]})),
    ("grpc.per_rpc_retry_buffer_size", 2**24),  # bytes: a larger request would not be retried
)

Metadata = tuple[tuple[str, str], ...]
Report = Callable[[str, str, float, int], None]  # of a call: the model, the gRPC status, seconds, images


class Answer(NamedTuple):
    """A model's answer: the version that gave it, and its outputs, whose first axis runs over the images."""

    version: int
    outputs: dict[str, NDArray[np.float32]]


class State(NamedTuple):
    """The live state of a model in TF Serving's words, the version that it concerns, and the reason."""

    state: str
    version: int | None
    detail: str


class ModelServer:
    """A client of one model server; its coroutines run on one event loop, on which the first of them connects."""

    def __init__(self, address: str, deadline: float, report: Report) -> None:
        """Prepare for the server at `address`, a gRPC target; no call lasts longer than `deadline` seconds."""
        self._address = address
        self._deadline = deadline
        self._report = report
        self._channel: grpc.aio.Channel | None = None
        self._calls: dict[str, Any] = {}

    async def predict(
        self, model: str, signature: str, images: Images, samples: int | None, timeout: float, metadata: Metadata = ()
    ) -> Answer:
        """Run `signature` of the newest version of `model` within `timeout` seconds.

        `samples` is the number of passes of a signature that takes it; `metadata` goes with the call. Raise a
        GatewayError where there is no usable answer.
        """
        request = predict_request(model, signature, images, samples)
        started, status = time.perf_counter(), "OK"
        try:
            response = await self._call(PREDICT, wire.PredictResponse)(request, timeout=timeout, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            status = error.code().name
            raise self._translated(model, error) from error
        finally:
            self._report(model, status, time.perf_counter() - started, images.count)
        try:
            outputs = {name: read_floats(tensor) for name, tensor in response.outputs.items()}
        except ValueError as error:
            raise BadGateway(f"The model server's answer for variant {model!r} cannot be read: {error}.") from error
        return Answer(response.model_spec.version.value, outputs)

    async def states(self, models: Sequence[str]) -> list[State]:
        """Return the live state of each of `models`, all within one deadline."""
        return await asyncio.gather(*map(self._state, models))

    async def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            await self._channel.close()

    async def _state(self, model: str) -> State:
        """Return the state of the newest version that is available, else of the newest version."""
        ask = self._call(GET_MODEL_STATUS, wire.GetModelStatusResponse)
        try:
            response = await ask(status_request(model), timeout=self._deadline)
        except grpc.aio.AioRpcError as error:
            return State(UNREACHABLE, None, self._translated(model, error).detail)
        versions = sorted(response.model_version_status, key=lambda v: (v.state == v.AVAILABLE, v.version))
        if not versions:
            return State(UNREACHABLE, None, f"The model server lists no version of {model!r}.")
        newest = versions[-1]
        return State(wire.ModelVersionStatus.State.Name(newest.state), newest.version, newest.status.error_message)

    def _call(self, method: str, response: Any) -> Any:
        """Return the callable of a method; the first connects, on the running loop."""
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self._address, OPTIONS)
        if method not in self._calls:
            self._calls[method] = self._channel.unary_unary(
                method, lambda message: message.SerializeToString(), response.FromString
            )
        return self._calls[method]

    def _translated(self, model: str, error: grpc.aio.AioRpcError) -> GatewayError:
        match error.code():
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return DeadlineExceeded(f"The model server did not answer within {self._deadline:g} s.")
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
                return Unavailable("The model server cannot be reached; try again shortly.")
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                return Unavailable("The model server has more to do than it accepts; try again shortly.")
            case grpc.StatusCode.NOT_FOUND:
                return Unavailable(f"The model server has not loaded variant {model!r}; try again shortly.")
        return BadGateway(
            f"The model server refused the request for variant {model!r}: {error.code().name}: {error.details()}"
        )
