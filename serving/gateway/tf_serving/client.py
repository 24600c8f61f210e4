"""Call the model server."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import grpc
import numpy as np
from numpy.typing import NDArray

from serving.gateway.errors import BadGateway, DeadlineExceeded, GatewayError, Unavailable
from serving.gateway.tf_serving import wire_pb2 as wire
from serving.gateway.tf_serving.messages import Images, predict_request, read_floats, status_request

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
AVAILABLE, UNREACHABLE = "AVAILABLE", "UNREACHABLE"
# A call that a broken connection ended is made once more, within its deadline: Predict changes nothing.
ONCE_MORE = {
    "maxAttempts": 2, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1,
    "retryableStatusCodes": ["UNAVAILABLE"],
}  # fmt: skip
SERVICE_CONFIG = {"methodConfig": [{"name": [{"service": PREDICT.split("/")[1]}], "retryPolicy": ONCE_MORE}]}
OPTIONS = (
    ("grpc.max_receive_message_length", 64 * 2**20),  # the client's default of 4 MiB is what people run into
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),  # gRPC's own two minutes would outlast the server's return
    ("grpc.min_reconnect_backoff_ms", 1000),  # how long one attempt to connect may take
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.enable_http_proxy", 0),
)
Report = Callable[[str, str, float, int], None]  # of a call: the model, the gRPC status, seconds, images
Metadata = tuple[tuple[str, str], ...]


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
    """A client of one model server; the connection is made at the first call, so after any fork."""

    def __init__(self, address: str, deadline: float, report: Report | None = None) -> None:
        """Prepare for the server at `address`; no call lasts longer than `deadline` seconds; `report` learns of all."""
        self._address = address
        self._deadline = deadline
        self._report = report
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._methods: dict[str, grpc.UnaryUnaryMultiCallable] = {}

    def predict(
        self,
        model: str,
        signature: str,
        images: Images,
        samples: int | None = None,
        timeout: float | None = None,
        metadata: Metadata | None = None,
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
        method = self._method(GET_MODEL_STATUS)
        calls = [(model, method.future(status_request(model), timeout=self._deadline)) for model in models]
        return [self._state(model, call) for model, call in calls]

    def _state(self, model: str, call: Any) -> State:
        """Return the state of the newest version that is available, else of the newest there is."""
        try:
            response = call.result()
        except grpc.RpcError as error:
            return State(UNREACHABLE, None, self._translated(model, error).detail)
        versions = sorted(response.model_version_status, key=lambda v: (v.state == v.AVAILABLE, v.version))
        if not versions:
            return State(UNREACHABLE, None, f"The model server lists no version of {model!r}.")
        newest = versions[-1]
        return State(wire.ModelVersionStatus.State.Name(newest.state), newest.version, newest.status.error_message)

    def _call(
        self, model: str, request: wire.PredictRequest, images: int, timeout: float, metadata: Metadata | None
    ) -> wire.PredictResponse:
        """Make one Predict call and return the response; raise a GatewayError where there is none."""
        started, status = time.perf_counter(), grpc.StatusCode.OK
        try:
            return self._method(PREDICT)(request, timeout=timeout, metadata=metadata)
        except grpc.RpcError as error:
            status = error.code()
            raise self._translated(model, error) from error
        finally:
            if self._report:
                self._report(model, status.name, time.perf_counter() - started, images)

    def _method(self, name: str) -> grpc.UnaryUnaryMultiCallable:
        if name not in self._methods:
            with self._lock:
                if self._channel is None:
                    self._channel = grpc.insecure_channel(self._address, options=OPTIONS)
                self._methods = {
                    method: self._channel.unary_unary(
                        method,
                        request_serializer=lambda message: message.SerializeToString(),
                        response_deserializer=response.FromString,
                    )
                    for method, response in (
                        (PREDICT, wire.PredictResponse),
                        (GET_MODEL_STATUS, wire.GetModelStatusResponse),
                    )
                }
        return self._methods[name]

    def _translated(self, model: str, error: grpc.RpcError) -> GatewayError:
        code, said = error.code(), error.details()
        match code:
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return DeadlineExceeded(f"The model server did not answer within {self._deadline:g} s.")
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
                return Unavailable("The model server cannot be reached; try again shortly.")
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                return Unavailable("The model server has more to do than it accepts; try again shortly.")
            case grpc.StatusCode.NOT_FOUND:
                return Unavailable(f"The model server has not loaded variant {model!r}; try again shortly.")
        return BadGateway(f"The model server refused the request for variant {model!r}: {code.name}: {said}")
