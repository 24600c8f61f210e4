import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import grpc
import pytest
from flask.testing import FlaskClient

from serving.gateway.errors import BadGateway, DeadlineExceeded, GatewayError, Unavailable
from serving.gateway.inference import breaker
from serving.gateway.inference.breaker import FAILURES, GuardedModelServer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.server.event_loop import EventLoop
from serving.gateway.telemetry.metrics import Metrics
from testing.api import json_of
from testing.fake_model_server import FakeModelServer

ONE = Images(bytes(784), 1, 28, 28)
OPEN = "Variant 'plain' has just failed and is not asked for a moment: The model server cannot be reached; try again "


class Client:
    """A guarded client whose coroutines run on the loop of a thread."""

    def __init__(self, address: str, deadline: float) -> None:
        self._loop = EventLoop()
        self._deadline = deadline
        self._server = GuardedModelServer(address, deadline, Metrics())
        self.refusal = self._server.refusal

    def ask(self, model: str = "plain", timeout: float | None = None) -> int:
        seconds = self._deadline if timeout is None else timeout
        return self._loop.run(self._server.predict(model, "serving_default", ONE, None, seconds)).version

    def close(self) -> None:
        self._loop.run(self._server.close())
        self._loop.close()


@pytest.fixture
def server(fake_server: FakeModelServer) -> Iterator[Client]:
    made = Client(fake_server.address, 30.0)
    yield made
    made.close()


def ask(server: Client, model: str = "plain", timeout: float | None = None) -> int:
    return server.ask(model, timeout)


def abort(code: str):
    return lambda context: context.abort(grpc.StatusCode[code], "no")


def fail(server: Client, kind: type[GatewayError], times: int, timeout: float | None = None) -> None:
    for _ in range(times):
        with pytest.raises(kind):
            ask(server, timeout=timeout)


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the moment in which a variant is left alone last."""
    monkeypatch.setattr(breaker, "MOMENT_SECONDS", 1000.0)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it pass at once."""
    monkeypatch.setattr(breaker, "MOMENT_SECONDS", 0.0)


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "NOT_FOUND"])
def test_failures_in_a_row_keep_calls_from_one_variant(server: Client, fake_server: FakeModelServer, code: str) -> None:
    fake_server.fault = abort(code)
    fail(server, Unavailable, FAILURES)
    fake_server.fault = None
    asked = len(fake_server.requests)
    with pytest.raises(Unavailable, match="^Variant 'plain' has just failed and is not asked for a moment: The model "):
        ask(server)
    assert len(fake_server.requests) == asked
    assert ask(server, "dropout") == 7
    assert (server.refusal("plain")[:40], server.refusal("dropout")) == (OPEN[:40], "")


@pytest.mark.usefixtures("endless")
def test_an_answer_between_failures_keeps_the_circuit_closed(server: Client, fake_server: FakeModelServer) -> None:
    for _ in range(3):
        fake_server.fault = abort("RESOURCE_EXHAUSTED")
        fail(server, Unavailable, FAILURES - 1)
        fake_server.fault = None
        assert ask(server) == 7


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "FAILED_PRECONDITION", "INTERNAL"])
def test_a_server_that_refuses_a_request_does_answer(server: Client, fake_server: FakeModelServer, code: str) -> None:
    fake_server.fault = abort(code)
    fail(server, BadGateway, 2 * FAILURES)
    assert len(fake_server.requests) == 2 * FAILURES


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize(("deadline", "refused"), [(0.05, True), (10.0, False)])
def test_timeouts_count_where_there_was_time(fake_server: FakeModelServer, deadline: float, refused: bool) -> None:
    released = threading.Event()
    fake_server.fault = lambda context: released.wait(10)
    with closing(Client(fake_server.address, deadline)) as server:
        fail(server, DeadlineExceeded, FAILURES, timeout=0.04)
        released.set()
        assert bool(server.refusal("plain")) is refused


@pytest.mark.usefixtures("at_once")
def test_one_call_finds_out_and_the_others_need_not_wait(server: Client, fake_server: FakeModelServer) -> None:
    fake_server.fault = abort("UNAVAILABLE")
    fail(server, Unavailable, FAILURES)
    arrived, released = threading.Event(), threading.Event()

    def hold(context: object) -> None:
        arrived.set()
        released.wait(10)

    fake_server.fault = hold
    with ThreadPoolExecutor() as pool:
        trial = pool.submit(ask, server)
        assert arrived.wait(10)
        fail(server, Unavailable, 5)
        released.set()
        assert trial.result() == 7
    assert [ask(server) for _ in range(3)] == [7, 7, 7]


@pytest.mark.usefixtures("at_once")
def test_a_trial_that_fails_opens_the_circuit_again(
    server: Client, fake_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_server.fault = abort("UNAVAILABLE")
    fail(server, Unavailable, FAILURES)
    monkeypatch.setattr(breaker, "MOMENT_SECONDS", 1000.0)
    fail(server, Unavailable, 1)
    fake_server.fault = None
    fail(server, Unavailable, 5)


def test_a_broken_call_is_made_once_more(server: Client, fake_server: FakeModelServer) -> None:
    def break_once(context: grpc.ServicerContext) -> None:
        fake_server.fault = None
        context.abort(grpc.StatusCode.UNAVAILABLE, "gone")

    fake_server.fault = break_once
    assert ask(server) == 7
    assert len(fake_server.requests) == 2


@pytest.mark.usefixtures("at_once")
def test_the_circuit_of_a_variant_that_nobody_asks_closes(
    client: FlaskClient, fake_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_server.fault = abort("UNAVAILABLE")
    for _ in range(FAILURES):
        client.post("/predict", data=bytes(784), content_type="application/octet-stream")
    monkeypatch.setattr(breaker, "REST_SECONDS", 0.0)
    client.application.extensions["gateway"].journal.flush()
    assert 'gateway_circuit_state{variant="plain"} 0.0' in client.get("/metrics").text
    monkeypatch.setattr(breaker, "MOMENT_SECONDS", 1000.0)
    answers = [client.post("/predict", data=bytes(784), content_type="application/octet-stream") for _ in range(2)]
    assert json_of(answers[1])["detail"].startswith(OPEN)


@pytest.mark.usefixtures("endless")
def test_the_gateway_is_not_ready_while_it_would_not_ask(client: FlaskClient, fake_server: FakeModelServer) -> None:
    fake_server.fault = abort("UNAVAILABLE")
    raw = "application/octet-stream"
    for _ in range(FAILURES):
        assert client.post("/predict", data=bytes(784), content_type=raw).status_code == 503
    fake_server.fault = None
    answer = client.post("/predict", data=bytes(784), content_type=raw)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert json_of(answer)["detail"].startswith(OPEN)
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert json_of(ready)["errors"] == [{"pointer": "/variants/plain", "detail": f"AVAILABLE {OPEN}shortly."}]
    text = client.get("/metrics").text
    assert 'gateway_circuit_state{variant="plain"} 2.0' in text
    assert 'gateway_refused_total{reason="circuit"} 1.0' in text
