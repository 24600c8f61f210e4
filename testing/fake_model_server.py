"""A model server in the test's own process: real gRPC, made-up answers, and whatever fault a test asks for."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import grpc
import numpy as np

from serving.gateway.inference.tf_serving import wire_pb2 as wire

CLASSES = 10
Fault = Callable[[grpc.ServicerContext], object]
Answer = Callable[[wire.PredictRequest], wire.PredictResponse]


class FakeModelServer:
    """Answers class `sum of the pixels mod 10`, with certainty, from version 7 of any model in `models`."""

    def __init__(self, address: str = "127.0.0.1:0") -> None:
        self.models = {"plain", "dropout"}
        self.state = wire.ModelVersionStatus.AVAILABLE
        self.fault: Fault | None = None
        self.requests: list[wire.PredictRequest] = []
        self.answer: Answer = answer
        self._server = grpc.server(ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers(
            (
                self._service("PredictionService", "Predict", self._predict, wire.PredictRequest),
                self._service("ModelService", "GetModelStatus", self._status, wire.GetModelStatusRequest),
            )
        )
        port = self._server.add_insecure_port(address)
        self.address = address.replace(":0", f":{port}")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(grace=None).wait()

    def _service(self, service: str, method: str, answer: Callable, request: Any) -> grpc.GenericRpcHandler:
        handler: grpc.RpcMethodHandler = grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=request.FromString, response_serializer=lambda m: m.SerializeToString()
        )
        return grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", {method: handler})

    def _check(self, model: str, context: grpc.ServicerContext) -> None:
        if self.fault:
            self.fault(context)
        if model not in self.models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({model})")

    def _predict(self, request: wire.PredictRequest, context: grpc.ServicerContext) -> wire.PredictResponse:
        self.requests.append(request)
        self._check(request.model_spec.name, context)
        return self.answer(request)

    def _status(
        self, request: wire.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> wire.GetModelStatusResponse:
        self._check(request.model_spec.name, context)
        return wire.GetModelStatusResponse(
            model_version_status=[
                wire.ModelVersionStatus(version=6, state=wire.ModelVersionStatus.END),
                wire.ModelVersionStatus(version=7, state=self.state),
            ]
        )


def answer(request: wire.PredictRequest) -> wire.PredictResponse:
    """Answer the sum of an image's pixels mod 10, with certainty."""
    tensor = request.inputs["images"]
    count, *sides = (dim.size for dim in tensor.tensor_shape.dim)
    images = np.frombuffer(tensor.tensor_content, np.uint8).reshape(count, -1)
    assert images.shape[1] == np.prod(sides)
    response = wire.PredictResponse(model_spec=request.model_spec)
    response.model_spec.version.value = 7
    put(response, "probabilities", np.eye(CLASSES)[images.sum(axis=1, dtype=int) % CLASSES])
    if request.model_spec.signature_name == "with_familiarity":
        put(response, "familiarity", np.full(count, 0.25))
    if request.model_spec.signature_name == "mc_dropout":
        put(response, "entropy", np.full(count, 0.5))
        put(response, "mutual_information", np.full(count, 0.25))
    return response


def put(response: wire.PredictResponse, name: str, values: np.ndarray) -> None:
    """Add an output, as floats."""
    tensor = response.outputs[name]
    tensor.dtype = wire.DT_FLOAT
    for side in values.shape:
        tensor.tensor_shape.dim.add().size = side
    tensor.float_val.extend(values.ravel().tolist())


def shifted(honest: Answer, models: set[str], confidences: Mapping[int, float] = MappingProxyType({})) -> Answer:
    """Return an answer in which `models` take each digit for the next one, as sure of it as `confidences` says."""

    def answer(request: wire.PredictRequest) -> wire.PredictResponse:
        response = honest(request)
        if request.model_spec.name in models:
            values = response.outputs["probabilities"].float_val
            digits = np.array(values).reshape(-1, CLASSES).argmax(axis=1)
            del values[:]
            for digit in digits.tolist():
                sure = confidences.get(digit, 1.0)
                row = np.full(CLASSES, (1 - sure) / (CLASSES - 1))
                row[(digit + 1) % CLASSES] = sure
                values.extend(row.tolist())
        return response

    return answer
