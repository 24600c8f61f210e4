import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import grpc
import numpy as np
import pytest

from serving.gateway.errors import BadGateway, DeadlineExceeded, GatewayError, Unavailable
from serving.gateway.inference import breaker
from serving.gateway.inference.batching import CALLS, MOST_IMAGES, Ask, Batcher, ModelCall, Target, outcome_of
from serving.gateway.inference.breaker import GuardedModelServer
from serving.gateway.inference.tf_serving import wire_pb2 as wire
from serving.gateway.inference.tf_serving.client import Answer, ModelServer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.server.event_loop import EventLoop
from serving.gateway.telemetry.metrics import Metrics
from serving.gateway.telemetry.tracing import NoTracing
from testing.fake_model_server import FakeModelServer, answer, put
from testing.waiting import eventually

SECONDS = 20.0
PLAIN = Target("plain", "serving_default")
Held = Callable[[Sequence[int]], list[Any]]


def image(digit: int, count: int = 1) -> Images:
    """Images that the made-up model takes for `digit`."""
    return Images((bytes([digit]) + bytes(783)) * count, count, 28, 28)


class Asker:
    """A batcher on the loop of a thread, which any thread may ask."""

    def __init__(self, address: str, server: ModelServer | None = None) -> None:
        self._loop = EventLoop()
        self._server = server or ModelServer(address, SECONDS, lambda *call: None)
        self._batcher = Batcher(self._server, NoTracing(), SECONDS)
        self.asks: list[Ask] = []  # those that have ended

    def ask(self, images: Images, timeout: float | None = None, target: Target = PLAIN) -> Answer:
        ask = self._loop.run(self._batcher.ask(target, images, timeout))
        self.asks.append(ask)
        return outcome_of(ask)

    def queued(self) -> int:
        return self._batcher.queued

    def close(self) -> None:
        self._loop.run(self._server.close())
        self._loop.close()


@pytest.fixture
def asker(fake_server: FakeModelServer) -> Iterator[Asker]:
    made = Asker(fake_server.address)
    yield made
    made.close()


class Line:
    """Requests that come in while all calls to the model server are under way, and so have to wait."""

    def __init__(self, asker: Asker, fake_server: FakeModelServer) -> None:
        self._asker, self._server = asker, fake_server
        self._arrived, self._released = threading.Semaphore(0), threading.Event()
        self._pool = ThreadPoolExecutor()
        fake_server.fault = self._hold
        self.first = []
        for _ in range(CALLS):
            self.first.append(self._pool.submit(asker.ask, image(0)))
            assert self._arrived.acquire(timeout=SECONDS)

    def _hold(self, context: object) -> None:
        self._arrived.release()
        self._released.wait(SECONDS)

    def join(self, *images: Images, timeout: float | None = None) -> list[Future[Answer]]:
        """Have a request for each of `images` wait, in this order."""
        futures = []
        for each in images:
            expected = self._asker.queued() + each.count
            futures.append(self._pool.submit(self._asker.ask, each, timeout))
            eventually(lambda expected=expected: self._asker.queued() == expected, "the request to wait")  # type: ignore[misc]
        return futures

    def release(self, fault: Any = None) -> list[wire.PredictRequest]:
        """Let all go on, and meet `fault`; return the calls made for those that waited, when all is done."""
        self._server.fault = fault
        self._released.set()
        self._pool.shutdown()
        return self._server.requests[CALLS:]


@pytest.fixture
def line(asker: Asker, fake_server: FakeModelServer) -> Line:
    return Line(asker, fake_server)


def label(future: Future[Answer]) -> list[int]:
    return future.result().outputs["probabilities"].argmax(axis=1).tolist()


def sizes(calls: Sequence[wire.PredictRequest]) -> list[int]:
    return [call.inputs["images"].tensor_shape.dim[0].size for call in calls]


def test_a_request_that_is_alone_is_sent_at_once(asker: Asker, fake_server: FakeModelServer) -> None:
    assert asker.ask(image(3)).outputs["probabilities"].argmax() == 3
    assert sizes(fake_server.requests) == [1]


def test_requests_that_had_to_wait_travel_together_and_get_their_own_rows(line: Line) -> None:
    waiting = line.join(image(1), image(2, count=3), image(3))
    assert sizes(line.release()) == [5]
    assert [label(each) for each in waiting] == [[1], [2, 2, 2], [3]]
    assert {each.result().version for each in waiting} == {7}
    assert [label(each) for each in line.first] == [[0]] * CALLS


def test_a_call_has_its_largest_size_unless_one_request_has_more(line: Line) -> None:
    line.join(image(1, MOST_IMAGES - 1), image(2), image(3), image(4, MOST_IMAGES + 1))
    assert sorted(sizes(line.release())) == [1, MOST_IMAGES, MOST_IMAGES + 1]


def test_an_error_of_a_call_is_the_error_of_each_request(line: Line) -> None:
    waiting = line.join(image(1), image(2))
    line.release(lambda context: context.abort(grpc.StatusCode.UNAVAILABLE, "gone"))
    errors = [each.exception() for each in waiting]
    assert [type(error) for error in errors] == [Unavailable, Unavailable]
    assert errors[0] is not errors[1]


def test_what_the_model_server_refuses_together_is_asked_one_by_one(line: Line, fake_server: FakeModelServer) -> None:
    def particular(request: wire.PredictRequest) -> wire.PredictResponse:
        if 2 in request.inputs["images"].tensor_content[::784]:
            raise ValueError("a made-up fault of one image")
        return answer(request)

    fake_server.answer = particular
    waiting = line.join(image(1), image(2), image(3))
    assert sorted(sizes(line.release())) == [1, 1, 1, 3]
    assert [label(waiting[0]), label(waiting[2])] == [[1], [3]]
    with pytest.raises(BadGateway):
        waiting[1].result()


def test_an_answer_of_the_wrong_length_is_not_handed_out(line: Line, fake_server: FakeModelServer) -> None:
    def short(request: wire.PredictRequest) -> wire.PredictResponse:
        response = wire.PredictResponse()
        put(response, "probabilities", np.eye(10)[:1])
        return response

    fake_server.answer = short
    waiting = line.join(image(1), image(2))
    assert sizes(line.release()) == [2, 1, 1]
    assert [label(each) for each in waiting] == [[0], [0]]


def test_a_request_whose_time_is_over_is_not_sent(line: Line) -> None:
    (late,) = line.join(image(1), timeout=0.05)
    with pytest.raises(DeadlineExceeded, match=r"^The model server did not answer within 20 s\.$"):
        late.result(SECONDS)
    assert line.release() == []


def test_a_request_with_less_time_does_not_cut_its_neighbours_short(line: Line, fake_server: FakeModelServer) -> None:
    line.join(image(1), timeout=0.05)
    (patient,) = line.join(image(2))
    line.release()
    assert label(patient) == [2]


def test_lanes_do_not_wait_for_each_other(asker: Asker, line: Line, fake_server: FakeModelServer) -> None:
    fake_server.fault = None
    for target in (Target("dropout", "serving_default"), PLAIN._replace(background=True)):
        assert asker.ask(image(5), target=target).outputs["probabilities"].argmax() == 5
    line.release()


def test_a_surprise_reaches_every_request(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = line.join(image(1), image(2))

    def surprise(*arguments: object, **named: object) -> Answer:
        raise ZeroDivisionError

    monkeypatch.setattr(ModelServer, "predict", surprise)
    line.release()
    assert [type(each.exception()) for each in waiting] == [ZeroDivisionError, ZeroDivisionError]


def calls_of(asker: Asker, digits: Sequence[int]) -> list[ModelCall | None]:
    """Return the calls in which the images of these digits travelled."""
    return [ask.call for digit in digits for ask in asker.asks if ask.images.pixels[0] == digit]


def test_requests_that_travel_together_share_a_call_whether_it_works_or_not(asker: Asker, line: Line) -> None:
    line.join(image(1), image(2))
    line.release(lambda context: context.abort(grpc.StatusCode.UNAVAILABLE, "gone"))
    one, other = calls_of(asker, [1, 2])
    assert one is other and one is not None
    assert len({id(call) for call in calls_of(asker, [0])} | {id(one)}) == CALLS + 1


def test_a_request_that_is_asked_alone_again_has_a_call_of_its_own(
    asker: Asker, line: Line, fake_server: FakeModelServer
) -> None:
    fake_server.answer = lambda request: wire.PredictResponse()
    waiting = line.join(image(1), image(2))
    line.release(lambda context: context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no"))
    assert all(isinstance(each.exception(), GatewayError) for each in waiting)
    one, other = calls_of(asker, [1, 2])
    assert one is not other and one is not None and other is not None


def test_a_request_that_never_got_into_a_call_has_none(asker: Asker, line: Line) -> None:
    (late,) = line.join(image(1), timeout=0.05)
    assert isinstance(late.exception(SECONDS), DeadlineExceeded)
    line.release()
    assert calls_of(asker, [1]) == [None]


def test_a_request_has_no_call_where_the_circuit_is_open(
    fake_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "MOMENT_SECONDS", 1000.0)
    fake_server.models.remove("plain")
    with closing(Asker(fake_server.address, GuardedModelServer(fake_server.address, SECONDS, Metrics()))) as guarded:
        for _ in range(breaker.FAILURES + 2):
            with pytest.raises(Unavailable):
                guarded.ask(image(1))
        assert [call is not None for call in calls_of(guarded, [1])] == [True] * breaker.FAILURES + [False] * 2


def test_a_call_carries_and_charges_each_experiment_once() -> None:
    call = ModelCall()
    for count in (call.carry, call.charge):
        assert [count(experiment) for experiment in (1, 1, 2, 1, 2)] == [True, False, True, False, False]
