"""Micro-batching: a few threads run the requests that came close together as one, the oldest first."""

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Sequence

import numpy as np
from grpc import StatusCode

from serving.model_server.batching.batch import BatchingParameters, Feeds, Run, Task, run_tasks
from serving.model_server.errors import ServingError, invalid_argument


@dataclasses.dataclass
class _Queue:
    """Tasks that can run together: those of one servable and signature, for the same outputs."""

    run: Run
    fetches: Sequence[str]
    tasks: deque[Task] = dataclasses.field(default_factory=deque)
    weight: int = 0


class Batcher:
    """The threads that run batches, and their queues."""

    def __init__(self, parameters: BatchingParameters) -> None:
        self._parameters = parameters
        self._queues: dict[tuple, _Queue] = {}
        self._changed = threading.Condition()
        self._closed = False
        for number in range(parameters.num_batch_threads):
            threading.Thread(target=self._work, daemon=True, name=f"batch {number}").start()

    def run(self, run: Run, feeds: Feeds, fetches: Sequence[str], timeout: float | None) -> list[np.ndarray]:
        """Call `run` on these rows among others and return its result; raise `ServingError` when the queue is full."""
        return self._submit(run, feeds, fetches, timeout).result.result()

    def _submit(self, run: Run, feeds: Feeds, fetches: Sequence[str], timeout: float | None) -> Task:
        limits = self._parameters
        rows = _rows(feeds)
        if rows and rows > limits.max_batch_size:
            raise invalid_argument(f"Task size {rows} is larger than maximum input batch size {limits.max_batch_size}")
        task = Task(feeds, rows, None if timeout is None else time.monotonic() + timeout)
        key = (run, *feeds, None, *fetches)
        with self._changed:
            waiting = self._queues[key].weight if key in self._queues else 0
            if waiting + _weight(task) > limits.max_batch_size * limits.max_enqueued_batches:
                raise ServingError(
                    StatusCode.UNAVAILABLE, "The batch scheduling queue to which this task was submitted is full"
                )
            queue = self._queues.setdefault(key, _Queue(run, fetches))
            queue.tasks.append(task)
            queue.weight += _weight(task)
            # Wake a thread only when it may have to act: each wake-up costs time.
            if len(queue.tasks) == 1 or queue.weight >= limits.max_batch_size:
                self._changed.notify()
        return task

    def close(self) -> None:
        """End the threads once the queues are empty."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while taken := self._take():
            queue, tasks = taken
            run_tasks(queue.run, tasks, queue.fetches, self._parameters)

    def _take(self) -> tuple[_Queue, list[Task]] | None:
        """Wait for a batch that is full or has waited long enough; None once closed and empty."""
        limits = self._parameters
        with self._changed:
            while True:
                now = time.monotonic()
                soonest = None
                for key, queue in self._queues.items():
                    due = queue.tasks[0].arrived + limits.batch_timeout_seconds
                    if queue.weight >= limits.max_batch_size or due <= now or self._closed:
                        return queue, self._pop(key, queue)
                    soonest = due if soonest is None else min(soonest, due)
                if self._closed:
                    return None
                self._changed.wait(None if soonest is None else soonest - now)

    def _pop(self, key: tuple, queue: _Queue) -> list[Task]:
        tasks = [queue.tasks.popleft()]
        weight = _weight(tasks[0])
        while queue.tasks and None not in (tasks[0].rows, queue.tasks[0].rows):
            if weight + _weight(queue.tasks[0]) > self._parameters.max_batch_size:
                break
            tasks.append(queue.tasks.popleft())
            weight += _weight(tasks[-1])
        queue.weight -= weight
        del self._queues[key]
        if queue.tasks:
            self._queues[key] = queue  # at the end, so that every queue has its turn
            self._changed.notify()
        return tasks


def _rows(feeds: Feeds) -> int | None:
    if not feeds or any(array.ndim == 0 for array in feeds.values()):
        return None
    sizes = {len(array) for array in feeds.values()}
    if len(sizes) > 1:
        raise invalid_argument("Batching session Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def _weight(task: Task) -> int:
    """Return the room that a task takes; one without rows counts as one."""
    return max(1, task.rows or 0)
