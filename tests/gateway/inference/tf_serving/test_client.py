import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from serving.gateway.errors import BadGateway, DeadlineExceeded, GatewayError, Unavailable
from serving.gateway.inference.tf_serving import wire_pb2 as wire
from serving.gateway.inference.tf_serving.client import Answer, ModelServer, State
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.server.event_loop import EventLoop
from testing.fake_model_server import FakeModelServer
from testing.waiting import eventually

IMAGES = Images(bytes([0] * 784 + [3] + [0] * 783), 2, 28, 28)
SHORT, LONG = 0.2, 30.0  # seconds
Connect = Callable[..., "Client"]


class Client:
    """A client whose coroutines run on the loop of a thread."""

    def __init__(self, loop: EventLoop, address: str, deadline: float) -> None:
        self._loop = loop
        self._deadline = deadline
        self._server = ModelServer(address, deadline, lambda *call: self.calls.append(call))
        self.calls: list[tuple[str, str, float, int]] = []

    def predict(self, model: str, signature: str, images: Images, samples: int | None = None) -> Answer:
        return self._loop.run(self._server.predict(model, signature, images, samples, self._deadline))

    def states(self, models: list[str]) -> list[State]:
        return self._loop.run(self._server.states(models))

    def close(self) -> None:
        self._loop.run(self._server.close())


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Give a function that makes clients, which are closed in the end."""
    loop, made = EventLoop(), []

    def make(address: str, deadline: float = LONG) -> Client:
        made.append(Client(loop, address, deadline))
        return made[-1]

    yield make
    for client in made:
        client.close()
    loop.close()


@pytest.fixture
def server(connect: Connect, fake_server: FakeModelServer) -> Client:
    return connect(fake_server.address)


def test_an_answer_has_its_outputs_and_the_version_that_gave_them(server: Client) -> None:
    answer = server.predict("plain", "serving_default", IMAGES)
    assert answer.version == 7
    assert answer.outputs["probabilities"].argmax(axis=1).tolist() == [0, 3]


def test_samples_are_sent_to_a_signature_that_takes_them(server: Client, fake_server: FakeModelServer) -> None:
    answer = server.predict("dropout", "mc_dropout", IMAGES, samples=30)
    np.testing.assert_array_equal(answer.outputs["entropy"], [0.5, 0.5])
    (request,) = fake_server.requests
    assert request.inputs["samples"].int_val == [30]


@pytest.mark.parametrize(
    ("code", "kind", "detail"),
    [
        ("UNAVAILABLE", Unavailable, "The model server cannot be reached; try again shortly."),
        ("RESOURCE_EXHAUSTED", Unavailable, "The model server has more to do than it accepts; try again shortly."),
        ("NOT_FOUND", Unavailable, "The model server has not loaded variant 'plain'; try again shortly."),
        ("DEADLINE_EXCEEDED", DeadlineExceeded, "The model server did not answer within 30 s."),
        (
            "INVALID_ARGUMENT",
            BadGateway,
            "The model server refused the request for variant 'plain': INVALID_ARGUMENT: no",
        ),
        ("INTERNAL", BadGateway, "The model server refused the request for variant 'plain': INTERNAL: no"),
    ],
)
def test_the_servers_errors_become_the_gateways(
    server: Client, fake_server: FakeModelServer, code: str, kind: type[GatewayError], detail: str
) -> None:
    fake_server.fault = lambda context: context.abort(grpc.StatusCode[code], "no")
    with pytest.raises(kind) as caught:
        server.predict("plain", "serving_default", IMAGES)
    assert caught.value.detail == detail


def test_a_version_that_scores_no_familiarity_answers_without_it(server: Client, fake_server: FakeModelServer) -> None:
    def signature() -> str:
        return fake_server.requests[-1].model_spec.signature_name

    def unknown(context: grpc.ServicerContext) -> None:
        if signature() != "serving_default":
            detail = f'Serving signature key "{signature()}" not found.'
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, detail)

    fake_server.fault = unknown
    assert list(server.predict("plain", "with_familiarity", IMAGES).outputs) == ["probabilities"]
    with pytest.raises(BadGateway, match='"mc_dropout" not found'):
        server.predict("plain", "mc_dropout", IMAGES, samples=1)


class Garbage:
    """Serialize to bytes that are no message."""

    def SerializeToString(self) -> bytes:  # noqa: N802
        return b"\xff"


def test_an_answer_that_cannot_be_read_is_the_model_servers_fault(server: Client, fake_server: FakeModelServer) -> None:
    fake_server.answer = lambda request: Garbage()  # type: ignore[assignment, return-value]
    with pytest.raises(BadGateway, match="answer for variant 'plain' cannot be read: "):
        server.predict("plain", "serving_default", IMAGES)


def test_a_call_is_reported_with_its_status_and_images(server: Client, fake_server: FakeModelServer) -> None:
    server.predict("plain", "serving_default", IMAGES)
    fake_server.fault = lambda context: context.abort(grpc.StatusCode.NOT_FOUND, "no")
    with pytest.raises(Unavailable):
        server.predict("plain", "serving_default", IMAGES)
    assert [(model, status, images) for model, status, _, images in server.calls] == [
        ("plain", "OK", 2), ("plain", "NOT_FOUND", 2),
    ]  # fmt: skip


def test_no_call_outlasts_its_deadline(connect: Connect, fake_server: FakeModelServer) -> None:
    released = threading.Event()
    fake_server.fault = lambda context: released.wait(timeout=10)
    try:
        with pytest.raises(DeadlineExceeded):
            connect(fake_server.address, SHORT).predict("plain", "serving_default", IMAGES)
    finally:
        released.set()


def test_a_server_that_is_not_there_is_unavailable_at_once(connect: Connect, fake_server: FakeModelServer) -> None:
    fake_server.stop()
    server = connect(fake_server.address)
    with pytest.raises(Unavailable):
        server.predict("plain", "serving_default", IMAGES)
    assert server.states(["plain"])[0].state == "UNREACHABLE"


def test_states_prefer_the_version_that_answers(server: Client, fake_server: FakeModelServer) -> None:
    gone = State("UNREACHABLE", None, "The model server has not loaded variant 'gone'; try again shortly.")
    assert server.states(["plain", "gone"]) == [State("AVAILABLE", 7, ""), gone]
    fake_server.state = wire.ModelVersionStatus.LOADING
    assert server.states(["plain"]) == [State("LOADING", 7, "")]


def test_a_server_that_comes_back_is_found_again(connect: Connect, fake_server: FakeModelServer) -> None:
    server = connect(fake_server.address)
    fake_server.stop()
    assert server.states(["plain"])[0].state == "UNREACHABLE"
    back = FakeModelServer(fake_server.address)
    eventually(lambda: server.states(["plain"])[0].state == "AVAILABLE", "the server to be found again")
    back.stop()


def test_a_server_may_listen_on_a_unix_socket(connect: Connect, tmp_path: Path) -> None:
    there = FakeModelServer(f"unix:{tmp_path}/socket")
    assert connect(there.address).predict("plain", "serving_default", IMAGES).version == 7
    there.stop()
