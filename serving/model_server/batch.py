"""A batch: requests put together along their first dimension, run once, and taken apart again."""

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
from grpc import StatusCode

from serving.model_server.errors import ServingError

Feeds = dict[str, np.ndarray]
Run = Callable[[Feeds, Sequence[str], float | None], list[np.ndarray]]


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """TF Serving's BatchingParameters, with its defaults."""

    num_batch_threads: int
    max_batch_size: int = 1000
    batch_timeout_seconds: float = 0.0
    max_enqueued_batches: int = 10
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False


@dataclasses.dataclass
class Task:
    """One request on its way: its rows, when it has to be done, and what came of it."""

    feeds: Feeds
    rows: int
    deadline: float | None
    arrived: float = dataclasses.field(default_factory=time.monotonic)
    done: threading.Event = dataclasses.field(default_factory=threading.Event)
    result: list[np.ndarray] | None = None
    error: ServingError | None = None


def run_together(run: Run, tasks: list[Task], fetches: Sequence[str], parameters: BatchingParameters) -> None:
    """Run the tasks as one and give each its rows; raise what the run raises."""
    now = time.monotonic()
    for task in tasks:
        if task.deadline is not None and task.deadline <= now:
            task.error = ServingError(
                StatusCode.DEADLINE_EXCEEDED, "Run() timeout exceeded while waiting in batching queue"
            )
    alive = [task for task in tasks if not task.error]
    if not alive:
        return
    if len(alive) == 1 and not parameters.allowed_batch_sizes:
        alive[0].result = run(alive[0].feeds, fetches, _time_left(alive, now))
        return
    rows = sum(task.rows for task in alive)
    feeds = {name: _merge([task.feeds[name] for task in alive], name, rows, parameters) for name in alive[0].feeds}
    arrays = run(feeds, fetches, _time_left(alive, now))
    if any(array.ndim == 0 or len(array) != len(next(iter(feeds.values()))) for array in arrays):
        raise ServingError(
            StatusCode.FAILED_PRECONDITION,
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
            "tensors",
        )
    start = 0
    for task in alive:
        task.result = [array[start : start + task.rows] for array in arrays]
        start += task.rows


def _time_left(tasks: list[Task], now: float) -> float | None:
    deadlines = [task.deadline for task in tasks if task.deadline is not None]
    return max(deadlines) - now if len(deadlines) == len(tasks) else None


def _merge(arrays: list[np.ndarray], name: str, rows: int, parameters: BatchingParameters) -> np.ndarray:
    shapes = {array.shape[1:] for array in arrays}
    if len(shapes) > 1:
        if not parameters.pad_variable_length_inputs or len({len(shape) for shape in shapes}) > 1:
            raise ServingError(
                StatusCode.FAILED_PRECONDITION,
                f"Tensors with name '{name}' from different tasks have different shapes and padding is turned off. "
                "Set pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal "
                "dimensions starting with the first dim.",
            )
        longest = [max(sizes) for sizes in zip(*shapes, strict=True)]
        arrays = [_pad(array, longest) for array in arrays]
    size = next((size for size in sorted(parameters.allowed_batch_sizes) if size >= rows), rows)
    filler = arrays[-1][:1]  # a real row, so that nothing in the graph trips over it
    return np.concatenate(arrays + [filler] * (size - rows if len(filler) else 0))


def _pad(array: np.ndarray, longest: list[int]) -> np.ndarray:
    widths = [(0, 0)] + [(0, size - had) for size, had in zip(longest, array.shape[1:], strict=True)]
    return np.pad(array, widths)
