"""Call the model server."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from serving.gateway.errors import BadGateway, DeadlineExceeded, GatewayError, Unavailable
from serving.gateway.inference.tf_serving import wire_pb2 as wire
from serving.gateway.inference.tf_serving.channel import CallFailed, Channel, Metadata
from serving.gateway.inference.tf_serving.messages import Images, predict_request, read_floats, status_request
from serving.gateway.waits import Waits

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
AVAILABLE, UNREACHABLE = "AVAILABLE", "UNREACHABLE"
M = TypeVar("M", bound=Message)
Report = Callable[[str, str, float, int], None]  # of a call: the model, the gRPC status, seconds, images


class Answer(NamedTuple):
    """What a model answered: the version that did, and its outputs, the first axis of each running over the images."""

    version: int
    outputs: dict[str, NDArray[np.float32]]


class State(NamedTuple):
    """The live state of a model: its name in TF Serving's words, the version it is about, and why it is so."""

    state: str
    version: int | None
    detail: str


class ModelServer:
    """A client of one model server."""

    def __init__(self, address: str, deadline: float, waits: Waits, report: Report | None = None) -> None:
        """Prepare for the server at `address`; no call lasts longer than `deadline` seconds; `report` learns of all."""
        self._channel = Channel(address, waits)
        self._deadline = deadline
        self._report = report

    def predict(
        self,
        model: str,
        signature: str,
        images: Images,
        samples: int | None = None,
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> Answer:
        """Run `signature` of the newest version of `model` within `timeout` seconds, at most the client's deadline.

        What is in `metadata` goes with the call, for whoever follows it.
        Raise a GatewayError where there is no usable answer.
        """
        request = predict_request(model, signature, images, samples)
        response = self._call(model, request, images.count, self._deadline if timeout is None else timeout, metadata)
        try:
            outputs = {name: read_floats(tensor) for name, tensor in response.outputs.items()}
        except ValueError as error:
            raise BadGateway(f"The model server's answer for variant {model!r} cannot be read: {error}.") from error
        return Answer(response.model_spec.version.value, outputs)

    def states(self, models: Sequence[str]) -> list[State]:
        """Return the live state of each of `models`, all within one deadline."""
        until = time.monotonic() + self._deadline
        return [self._state(model, until - time.monotonic()) for model in models]

    def close(self) -> None:
        """Close the connections."""
        self._channel.close()

    def _state(self, model: str, timeout: float) -> State:
        """Return the state of the newest version that is available, else of the newest there is."""
        try:
            response = self._ask(GET_MODEL_STATUS, [status_request(model)], wire.GetModelStatusResponse, timeout)
        except CallFailed as error:
            return State(UNREACHABLE, None, self._translated(model, error).detail)
        versions = sorted(response.model_version_status, key=lambda v: (v.state == v.AVAILABLE, v.version))
        if not versions:
            return State(UNREACHABLE, None, f"The model server lists no version of {model!r}.")
        newest = versions[-1]
        return State(wire.ModelVersionStatus.State.Name(newest.state), newest.version, newest.status.error_message)

    def _call(
        self, model: str, request: Sequence[bytes], images: int, timeout: float, metadata: Metadata
    ) -> wire.PredictResponse:
        """Make one Predict call and return the response; raise a GatewayError where there is none."""
        started, status = time.perf_counter(), "OK"
        try:
            return self._ask(PREDICT, request, wire.PredictResponse, timeout, metadata)
        except CallFailed as error:
            status = error.status
            raise self._translated(model, error) from error
        finally:
            if self._report:
                self._report(model, status, time.perf_counter() - started, images)

    def _ask(
        self, method: str, request: Sequence[bytes], answer: type[M], timeout: float, metadata: Metadata = ()
    ) -> M:
        """Return the server's answer; raise CallFailed where there is none, or none that can be read."""
        message = self._channel.call(method, request, timeout, metadata)
        try:
            return answer.FromString(message)
        except DecodeError as error:
            raise CallFailed("INTERNAL", f"the answer cannot be read: {error}") from error

    def _translated(self, model: str, error: CallFailed) -> GatewayError:
        match error.status:
            case "DEADLINE_EXCEEDED":
                return DeadlineExceeded(f"The model server did not answer within {self._deadline:g} s.")
            case "UNAVAILABLE" | "CANCELLED":
                return Unavailable("The model server cannot be reached; try again shortly.")
            case "RESOURCE_EXHAUSTED":
                return Unavailable("The model server has more to do than it accepts; try again shortly.")
            case "NOT_FOUND":
                return Unavailable(f"The model server has not loaded variant {model!r}; try again shortly.")
        return BadGateway(f"The model server refused the request for variant {model!r}: {error.status}: {error.detail}")
