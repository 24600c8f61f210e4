"""Batching, with a run that adds one: each request gets its own rows back."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from grpc import StatusCode

from serving.model_server.batching.batch import BatchingParameters
from serving.model_server.batching.batcher import Batcher
from serving.model_server.errors import ServingError
from testing.waiting import eventually

SECONDS = 10
Feeds = dict[str, np.ndarray]


class AddOne:
    """Adds one; remembers the sizes of its batches; can be held up."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.started = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout: float | None) -> list[np.ndarray]:
        self.started.release()
        assert self.go_on.wait(SECONDS)
        self.sizes.append(len(feeds["x"]))
        return [feeds["x"] + 1 for _ in fetches]


@pytest.fixture
def model() -> AddOne:
    return AddOne()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as pool:
        yield pool


@pytest.fixture
def make() -> Iterator[Callable[..., Batcher]]:
    batchers: list[Batcher] = []

    def make(**parameters: object) -> Batcher:
        batchers.append(Batcher(BatchingParameters(**{"num_batch_threads": 1, **parameters})))  # type: ignore[arg-type]
        return batchers[-1]

    yield make
    for batcher in batchers:
        batcher.close()


def rows(*values: float) -> Feeds:
    return {"x": np.array(values, np.float32).reshape(-1, 1)}


def submit_while_busy(
    batcher: Batcher, model: AddOne, pool: ThreadPoolExecutor, requests: list[Feeds], timeout: float | None = None
) -> list[Future[list[np.ndarray]]]:
    """Hold up the model with one request, queue the others one after the other, and let go."""
    model.go_on.clear()
    first = pool.submit(batcher.run, model.run, rows(0), ["y"], None)
    assert model.started.acquire(timeout=SECONDS)
    futures = []
    for request in requests:
        before = waiting(batcher)
        futures.append(pool.submit(batcher.run, model.run, request, ["y"], timeout))
        while waiting(batcher) == before and not futures[-1].done():
            time.sleep(0.001)
    model.go_on.set()
    assert first.result(SECONDS)[0].tolist() == [[1]]
    return futures


def waiting(batcher: Batcher) -> int:
    with batcher._changed:
        return sum(len(queue.tasks) for queue in batcher._queues.values())


def test_a_lone_request_is_run(make: Callable[..., Batcher], model: AddOne) -> None:
    [result] = make().run(model.run, rows(1, 2), ["y"], None)
    assert result.tolist() == [[2], [3]]


def test_requests_that_wait_are_run_together_and_told_apart(
    make: Callable[..., Batcher], model: AddOne, pool: ThreadPoolExecutor
) -> None:
    futures = submit_while_busy(make(), model, pool, [rows(1), rows(2, 3), rows(4)])
    assert [future.result(SECONDS)[0].tolist() for future in futures] == [[[2]], [[3], [4]], [[5]]]
    assert model.sizes == [1, 4]


def test_a_batch_is_no_larger_than_allowed(
    make: Callable[..., Batcher], model: AddOne, pool: ThreadPoolExecutor
) -> None:
    futures = submit_while_busy(make(max_batch_size=3), model, pool, [rows(1, 1), rows(2, 2), rows(3), rows(4)])
    assert [len(future.result(SECONDS)[0]) for future in futures] == [2, 2, 1, 1]
    assert model.sizes == [1, 2, 3, 1]


def test_a_full_batch_does_not_wait_for_its_time(
    make: Callable[..., Batcher], model: AddOne, pool: ThreadPoolExecutor
) -> None:
    batcher = make(max_batch_size=2, batch_timeout_seconds=1000)
    futures = [pool.submit(batcher.run, model.run, rows(number), ["y"], None) for number in (1, 2)]
    assert [future.result(SECONDS)[0].tolist() for future in futures] == [[[2]], [[3]]]
    assert model.sizes == [2]


def test_a_batch_that_is_not_full_leaves_when_its_time_has_come(make: Callable[..., Batcher], model: AddOne) -> None:
    batcher = make(max_batch_size=2, batch_timeout_seconds=0.01)
    assert batcher.run(model.run, rows(1), ["y"], None)[0].tolist() == [[2]]


def test_signatures_and_outputs_are_not_mixed(
    make: Callable[..., Batcher], model: AddOne, pool: ThreadPoolExecutor
) -> None:
    batcher = make()
    model.go_on.clear()
    futures = [pool.submit(batcher.run, model.run, rows(1), fetches, None) for fetches in (["y"], ["y", "z"], ["z"])]
    model.go_on.set()
    assert [len(future.result(SECONDS)) for future in futures] == [1, 2, 1]
    assert model.sizes == [1, 1, 1]


def test_a_request_larger_than_a_batch_is_refused(make: Callable[..., Batcher], model: AddOne) -> None:
    with pytest.raises(ServingError, match="Task size 3 is larger than maximum input batch size 2") as caught:
        make(max_batch_size=2).run(model.run, rows(1, 2, 3), ["y"], None)
    assert caught.value.code is StatusCode.INVALID_ARGUMENT


def test_a_full_queue_is_unavailable(make: Callable[..., Batcher], model: AddOne, pool: ThreadPoolExecutor) -> None:
    batcher = make(max_batch_size=2, max_enqueued_batches=1)
    futures = submit_while_busy(batcher, model, pool, [rows(1), rows(2), rows(3)])
    with pytest.raises(ServingError, match="The batch scheduling queue .* is full") as caught:
        futures[2].result(SECONDS)
    assert caught.value.code is StatusCode.UNAVAILABLE
    assert [future.result(SECONDS)[0].tolist() for future in futures[:2]] == [[[2]], [[3]]]


def test_a_full_queue_of_one_model_holds_up_no_other(
    make: Callable[..., Batcher], model: AddOne, pool: ThreadPoolExecutor
) -> None:
    batcher, other = make(max_batch_size=2, max_enqueued_batches=1), AddOne()
    model.go_on.clear()
    futures = [pool.submit(batcher.run, model.run, rows(0), ["y"], None)]
    assert model.started.acquire(timeout=SECONDS)
    futures.append(pool.submit(batcher.run, model.run, rows(1, 2), ["y"], None))
    eventually(lambda: waiting(batcher) == 1)
    futures.append(pool.submit(batcher.run, other.run, rows(3), ["y"], None))
    eventually(lambda: waiting(batcher) == 2 or futures[-1].done())
    model.go_on.set()
    assert [future.result(SECONDS)[0].ravel().tolist() for future in futures] == [[1], [2, 3], [4]]


def test_a_request_whose_time_ran_out_in_the_queue_is_not_run(
    make: Callable[..., Batcher], model: AddOne, pool: ThreadPoolExecutor
) -> None:
    futures = submit_while_busy(make(), model, pool, [rows(1)], timeout=0)
    with pytest.raises(ServingError, match="timeout exceeded while waiting in batching queue") as caught:
        futures[0].result(SECONDS)
    assert caught.value.code is StatusCode.DEADLINE_EXCEEDED
    assert model.sizes == [1]


def test_with_a_scalar_among_the_inputs_a_request_is_run_alone(make: Callable[..., Batcher], model: AddOne) -> None:
    feeds = {**rows(1), "samples": np.array(3)}
    assert make().run(model.run, feeds, ["y"], None)[0].tolist() == [[2]]


def test_inputs_of_different_length_are_refused(make: Callable[..., Batcher], model: AddOne) -> None:
    with pytest.raises(ServingError, match="must have equal 0th-dimension size"):
        make().run(model.run, {**rows(1), "z": np.zeros(2)}, ["y"], None)


def test_rows_of_different_width_are_run_each_for_itself_or_padded(
    make: Callable[..., Batcher], model: AddOne, pool: ThreadPoolExecutor
) -> None:
    requests = [{"x": np.zeros((1, 2), np.float32)}, {"x": np.zeros((1, 3), np.float32)}]
    single = submit_while_busy(make(), model, pool, requests)
    assert [future.result(SECONDS)[0].tolist() for future in single] == [[[1, 1]], [[1, 1, 1]]]
    assert model.sizes == [1, 1, 1]
    model = AddOne()
    padded = submit_while_busy(make(pad_variable_length_inputs=True), model, pool, requests)
    assert [future.result(SECONDS)[0].tolist() for future in padded] == [[[1, 1, 1]], [[1, 1, 1]]]
    assert model.sizes == [1, 2]


def test_one_bad_request_spoils_no_other(make: Callable[..., Batcher], model: AddOne, pool: ThreadPoolExecutor) -> None:
    def run(feeds: Feeds, fetches: Sequence[str], timeout: float | None) -> list[np.ndarray]:
        if 13 in feeds["x"]:
            raise ValueError("13 is no good")
        return model.run(feeds, fetches, timeout)

    batcher = make(max_batch_size=2, batch_timeout_seconds=1000)
    good, bad = (pool.submit(batcher.run, run, rows(number), ["y"], None) for number in (1, 13))
    assert good.result(SECONDS)[0].tolist() == [[2]]
    with pytest.raises(ServingError, match="13 is no good"):
        bad.result(SECONDS)


def test_a_batch_is_filled_up_to_an_allowed_size(
    make: Callable[..., Batcher], model: AddOne, pool: ThreadPoolExecutor
) -> None:
    batcher = make(max_batch_size=8, allowed_batch_sizes=(4, 8))
    futures = submit_while_busy(batcher, model, pool, [rows(1), rows(2), rows(3), rows(4), rows(5)])
    assert [future.result(SECONDS)[0].tolist() for future in futures] == [[[2]], [[3]], [[4]], [[5]], [[6]]]
    assert model.sizes == [4, 8]


def test_a_result_that_cannot_be_told_apart_is_asked_for_again(
    make: Callable[..., Batcher], pool: ThreadPoolExecutor
) -> None:
    sizes: list[int] = []

    def total(feeds: Feeds, fetches: Sequence[str], timeout: float | None) -> list[np.ndarray]:
        sizes.append(len(feeds["x"]))
        return [np.array(feeds["x"].sum())]

    batcher = make(max_batch_size=2, batch_timeout_seconds=1000)
    futures = [pool.submit(batcher.run, total, rows(number), ["y"], None) for number in (1, 2)]
    assert [future.result(SECONDS)[0].tolist() for future in futures] == [1, 2]
    assert sizes == [2, 1, 1]


def test_many_requests_at_once_all_get_their_own(make: Callable[..., Batcher], pool: ThreadPoolExecutor) -> None:
    model = AddOne()
    batcher = make(num_batch_threads=2, max_batch_size=16, max_enqueued_batches=1000)
    futures = [pool.submit(batcher.run, model.run, rows(number), ["y"], None) for number in range(2000)]
    assert [future.result(SECONDS)[0].tolist() for future in futures] == [[[number + 1]] for number in range(2000)]
    assert sum(model.sizes) == 2000
