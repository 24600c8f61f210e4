"""The gRPC services over a service that records or refuses its requests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc import StatusCode
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving.model_server.errors import ServingError
from serving.model_server.rpc.grpc_server import GrpcServer
from serving.model_server.rpc.services import serving_methods

SECONDS = 20.0


class RecordingService:
    """Records the time limits of requests; refuses them where it has an error."""

    def __init__(self) -> None:
        self.timeouts: list[float | None] = []
        self.error: ServingError | None = None

    def predict(self, request: predict_pb2.PredictRequest, timeout: float | None) -> predict_pb2.PredictResponse:
        self.timeouts.append(timeout)
        if self.error:
            raise self.error
        return predict_pb2.PredictResponse(model_spec=request.model_spec)

    def __getattr__(self, name: str) -> Any:
        return None  # the methods that no test calls


@pytest.fixture
def service() -> RecordingService:
    return RecordingService()


@pytest.fixture
def channel(service: RecordingService, tmp_path: Path) -> Iterator[grpc.Channel]:
    methods = serving_methods(service, lambda _: set())  # type: ignore[arg-type]
    server = GrpcServer(methods, threads=1, options=[], health=False)
    server.listen(f"unix:{tmp_path}/sock")
    server.start()
    with grpc.insecure_channel(f"unix:{tmp_path}/sock") as channel:
        yield channel
    server.stop(0).wait(SECONDS)


def predict(channel: grpc.Channel, seconds: float | None = SECONDS) -> predict_pb2.PredictResponse:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "a"
    return stub.Predict(request, timeout=seconds)


def test_a_request_is_handed_on_and_its_answer_sent(channel: grpc.Channel) -> None:
    assert predict(channel).model_spec.name == "a"


def test_the_deadline_is_the_time_limit(channel: grpc.Channel, service: RecordingService) -> None:
    for seconds in (None, 990.0):
        predict(channel, seconds)
    none, limit = service.timeouts
    assert none is None
    assert limit is not None and 900 < limit < 1000


def test_an_error_has_its_code_and_words(channel: grpc.Channel, service: RecordingService) -> None:
    service.error = ServingError(StatusCode.NOT_FOUND, "100 % neither here, nor „there“\n")
    with pytest.raises(grpc.RpcError) as caught:
        predict(channel)
    assert (caught.value.code(), caught.value.details()) == (StatusCode.NOT_FOUND, service.error.message)


def test_a_long_message_is_cut(channel: grpc.Channel, service: RecordingService) -> None:
    service.error = ServingError(StatusCode.UNKNOWN, "a" * 1_000_000)
    with pytest.raises(grpc.RpcError) as caught:
        predict(channel)
    assert (caught.value.code(), caught.value.details()) == (StatusCode.UNKNOWN, "a" * 2000)


def test_bytes_that_do_not_parse_are_refused(channel: grpc.Channel) -> None:
    call: Any = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"\xff", timeout=SECONDS)
    assert caught.value.code() is StatusCode.INTERNAL
    assert caught.value.details() == "The message is no tensorflow.serving.PredictRequest."


@pytest.mark.parametrize(
    ("name", "method", "request_type"),
    [
        ("PredictionService", "Predict", "PredictRequest"),
        ("ModelService", "GetModelStatus", "GetModelStatusRequest"),
    ],
)
def test_reflection_describes_the_services(channel: grpc.Channel, name: str, method: str, request_type: str) -> None:
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    described = pool.FindServiceByName(f"tensorflow.serving.{name}").methods_by_name[method]
    assert described.input_type.full_name == f"tensorflow.serving.{request_type}"
    assert "model_spec" in described.input_type.fields_by_name
