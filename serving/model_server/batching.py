"""Requests that come close together are run as one: a few threads take what has come together, oldest first."""

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Sequence

import numpy as np
from grpc import StatusCode

from serving.model_server.batch import BatchingParameters, Feeds, Run, Task, run_together
from serving.model_server.errors import ServingError, as_serving_error, invalid_argument


@dataclasses.dataclass
class _Queue:
    """What waits to be run together: requests of one servable and signature for the same outputs."""

    run: Run
    fetches: Sequence[str]
    tasks: deque[Task] = dataclasses.field(default_factory=deque)
    rows: int = 0


class Batcher:
    """The threads that run batches, and the queues they take them from."""

    def __init__(self, parameters: BatchingParameters) -> None:
        self._parameters = parameters
        self._queues: dict[tuple, _Queue] = {}
        self._changed = threading.Condition()
        self._closed = False
        for number in range(parameters.num_batch_threads):
            threading.Thread(target=self._work, daemon=True, name=f"batch {number}").start()

    def run(self, run: Run, feeds: Feeds, fetches: Sequence[str], timeout: float | None) -> list[np.ndarray]:
        """Have `run` called on these rows among others; raise `ServingError` when the queue is full."""
        limits = self._parameters
        rows = _rows(feeds)
        if rows is None:
            return run(feeds, fetches, timeout)  # with a scalar among the inputs there is nothing to put together
        if rows > limits.max_batch_size:
            raise invalid_argument(f"Task size {rows} is larger than maximum input batch size {limits.max_batch_size}")
        task = Task(feeds, rows, None if timeout is None else time.monotonic() + timeout)
        with self._changed:
            queue = self._queues.setdefault((run, *feeds, None, *fetches), _Queue(run, fetches))
            if queue.rows + rows > limits.max_batch_size * limits.max_enqueued_batches:
                raise ServingError(
                    StatusCode.UNAVAILABLE, "The batch scheduling queue to which this task was submitted is full"
                )
            queue.tasks.append(task)
            queue.rows += rows
            self._changed.notify()
        task.done.wait()
        if task.error:
            raise task.error
        assert task.result is not None
        return task.result

    def close(self) -> None:
        """End the threads once nothing waits any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while taken := self._take():
            queue, tasks = taken
            try:
                run_together(queue.run, tasks, queue.fetches, self._parameters)
            except Exception as error:  # one who waits must never be forgotten
                for task in tasks:
                    task.error = as_serving_error(error)
            for task in tasks:
                task.done.set()

    def _take(self) -> tuple[_Queue, list[Task]] | None:
        """Wait for a batch that is full or has waited long enough; None once closed and empty."""
        limits = self._parameters
        with self._changed:
            while True:
                now = time.monotonic()
                soonest = None
                for key, queue in self._queues.items():
                    due = queue.tasks[0].arrived + limits.batch_timeout_seconds
                    if queue.rows >= limits.max_batch_size or due <= now or self._closed:
                        return queue, self._pop(key, queue)
                    soonest = due if soonest is None else min(soonest, due)
                if self._closed:
                    return None
                self._changed.wait(None if soonest is None else soonest - now)

    def _pop(self, key: tuple, queue: _Queue) -> list[Task]:
        tasks: list[Task] = []
        rows = 0
        while queue.tasks and rows + queue.tasks[0].rows <= self._parameters.max_batch_size:
            tasks.append(queue.tasks.popleft())
            rows += tasks[-1].rows
        queue.rows -= rows
        del self._queues[key]
        if queue.tasks:
            self._queues[key] = queue  # behind the others, so that every queue has its turn
            self._changed.notify()
        return tasks


def _rows(feeds: Feeds) -> int | None:
    if not feeds or any(array.ndim == 0 for array in feeds.values()):
        return None
    sizes = {len(array) for array in feeds.values()}
    if len(sizes) > 1:
        raise invalid_argument("Batching session Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()
