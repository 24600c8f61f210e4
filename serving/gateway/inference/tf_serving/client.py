"""Call the model server over gRPC."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from serving.gateway.errors import BadGateway, DeadlineExceeded, GatewayError, NotLoaded, Unavailable
from serving.gateway.inference.tf_serving import wire_pb2 as wire
from serving.gateway.inference.tf_serving.messages import Images, predict_request, read_floats, status_request

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
AVAILABLE, UNREACHABLE = "AVAILABLE", "UNREACHABLE"
PROBABILITIES = "probabilities"
PLAIN = "serving_default"
FAMILIAR = "with_familiarity"  # PLAIN's answer and its familiarity
NOTHING = np.empty((0, 1), np.float32)

MOST_BYTES = 64 * 2**20  # of an answer
OPTIONS = (
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    # A server that returns is noticed soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_retries", 0),  # retried calls often waited for their deadline in vain (grpcio 1.85.3)
)

Metadata = tuple[tuple[str, str], ...]
Report = Callable[[str, str, float, int], None]  # of a call: the model, the gRPC status, seconds, images


class Answer(NamedTuple):
    """A model's answer: the version that gave it, and its outputs, whose first axis runs over the images.

    `best` and `confidences` are each image's most probable class and its probability.
    """

    version: int
    outputs: dict[str, NDArray[np.float32]]
    best: list[int]
    confidences: NDArray[np.float32]

    @classmethod
    def of(cls, version: int, outputs: dict[str, NDArray[np.float32]]) -> "Answer":
        """Return the answer with these outputs; one without probabilities [n, classes] has no best classes."""
        probabilities = outputs.get(PROBABILITIES, NOTHING)
        if probabilities.ndim != 2 or not probabilities.size:
            probabilities = NOTHING
        return cls(version, outputs, probabilities.argmax(axis=1).tolist(), probabilities.max(axis=1))

    def rows(self, rows: slice) -> "Answer":
        """Return the answer for some of the images."""
        outputs = {name: output[rows] for name, output in self.outputs.items()}
        return Answer(self.version, outputs, self.best[rows], self.confidences[rows])


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
        started, status = time.perf_counter(), "CANCELLED"
        try:
            message = await self._predict(request, timeout, metadata)
            status = "OK"
        except grpc.aio.AioRpcError as error:
            status = error.code().name
            raise self._translated(model, error) from error
        finally:
            self._report(model, status, time.perf_counter() - started, images.count)
        try:
            response = wire.PredictResponse.FromString(message)
            outputs = {name: read_floats(tensor) for name, tensor in response.outputs.items()}
        except (DecodeError, ValueError) as error:
            raise BadGateway(f"The model server's answer for variant {model!r} cannot be read: {error}.") from error
        return Answer.of(response.model_spec.version.value, outputs)

    async def _predict(self, request: wire.PredictRequest, timeout: float, metadata: Metadata) -> bytes:
        """Return the message that a Predict call answers; make it once more where it found no server.

        A version of before FAMILIAR, which may be loaded while a newer one is published, is asked for PLAIN.
        """
        call, until = self._call(PREDICT), time.monotonic() + timeout
        try:
            return await call(request, timeout=timeout, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            unknown = error.code() is grpc.StatusCode.FAILED_PRECONDITION
            if unknown and request.model_spec.signature_name == FAMILIAR:
                request.model_spec.signature_name = PLAIN
            elif error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        return await call(request, timeout=max(0.0, until - time.monotonic()), metadata=metadata)

    async def states(self, models: Sequence[str]) -> list[State]:
        """Return the live state of each of `models`, all within one deadline."""
        return await asyncio.gather(*map(self._state, models))

    async def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            await self._channel.close()

    async def _state(self, model: str) -> State:
        """Return the state of the newest version that is available, else of the newest version."""
        try:
            message = await self._call(GET_MODEL_STATUS)(status_request(model), timeout=self._deadline)
            response = wire.GetModelStatusResponse.FromString(message)
        except DecodeError as error:
            return State(UNREACHABLE, None, f"The model server's answer about {model!r} cannot be read: {error}.")
        except grpc.aio.AioRpcError as error:
            return State(UNREACHABLE, None, self._translated(model, error).detail)
        versions = sorted(response.model_version_status, key=lambda v: (v.state == v.AVAILABLE, v.version))
        if not versions:
            return State(UNREACHABLE, None, f"The model server lists no version of {model!r}.")
        newest = versions[-1]
        return State(wire.ModelVersionStatus.State.Name(newest.state), newest.version, newest.status.error_message)

    def _call(self, method: str) -> Any:
        """Return the callable of a method, whose answers are bytes; the first connects, on the running loop."""
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self._address, OPTIONS)
        if method not in self._calls:
            # grpc.aio would make None of an answer that cannot be read.
            self._calls[method] = self._channel.unary_unary(method, lambda message: message.SerializeToString())
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
                return NotLoaded(f"The model server has not loaded variant {model!r}; try again shortly.")
        return BadGateway(
            f"The model server refused the request for variant {model!r}: {error.code().name}: {error.details()}"
        )
