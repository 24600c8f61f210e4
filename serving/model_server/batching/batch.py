"""A batch: requests joined along their first dimension, run once, and split again."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import numpy as np
from grpc import StatusCode

from serving.model_server.errors import ServingError, as_serving_error

TOO_LATE = "Run() timeout exceeded while waiting in batching queue"

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


@dataclasses.dataclass(slots=True)
class Task:
    """One request on its way: its rows, its deadline, and the future of its result."""

    feeds: Feeds
    rows: int | None  # None with a scalar among the inputs: it cannot be put together with others
    deadline: float | None
    arrived: float = dataclasses.field(default_factory=time.monotonic)
    result: Future[list[np.ndarray]] = dataclasses.field(default_factory=Future)


def run_tasks(run: Run, tasks: list[Task], fetches: Sequence[str], parameters: BatchingParameters) -> None:
    """Run the tasks as one, and each for itself if that fails: a bad request must not spoil the others."""
    now = time.monotonic()
    alive = []
    for task in tasks:
        if task.deadline is None or task.deadline > now:
            alive.append(task)
        else:
            task.result.set_exception(ServingError(StatusCode.DEADLINE_EXCEEDED, TOO_LATE))
    if not alive:
        return
    try:
        _run_together(run, alive, fetches, parameters, now)
    except Exception as error:  # a graph may raise anything; the callers must hear of it
        if len(alive) == 1:
            alive[0].result.set_exception(as_serving_error(error))
        else:
            for task in alive:
                run_tasks(run, [task], fetches, parameters)


def _run_together(
    run: Run, tasks: list[Task], fetches: Sequence[str], parameters: BatchingParameters, now: float
) -> None:
    timeout = _time_left(tasks, now)
    if len(tasks) == 1 and (tasks[0].rows is None or not parameters.allowed_batch_sizes):
        tasks[0].result.set_result(run(tasks[0].feeds, fetches, timeout))
        return
    sizes = [task.rows or 0 for task in tasks]
    feeds = {
        name: _merge([task.feeds[name] for task in tasks], name, sum(sizes), parameters) for name in tasks[0].feeds
    }
    arrays = run(feeds, fetches, timeout)
    if any(array.ndim == 0 or len(array) != len(next(iter(feeds.values()))) for array in arrays):
        raise ServingError(
            StatusCode.FAILED_PRECONDITION,
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
            "tensors",
        )
    start = 0
    for task, size in zip(tasks, sizes, strict=True):
        task.result.set_result([array[start : start + size] for array in arrays])
        start += size


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
    filler = arrays[-1][:1]  # a real row, which the graph surely accepts
    return np.concatenate(arrays + [filler] * (size - rows if len(filler) else 0))


def _pad(array: np.ndarray, longest: list[int]) -> np.ndarray:
    widths = [(0, 0)] + [(0, size - had) for size, had in zip(longest, array.shape[1:], strict=True)]
    return np.pad(array, widths)
