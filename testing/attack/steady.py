"""A client that keeps to its pace beside an attack, in a process of its own."""

import multiprocessing
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Self

from testing.attack.wire import RAW
from testing.http_load import post
from testing.open_loop import Load, TimedAnswers

RATE = 50.0  # requests a second
SLICE_SECONDS = 0.25
LAST_SECONDS = 30.0  # that answers under way at the end may take

Slices = list[tuple[float, TimedAnswers]]  # the moment of each slice's end, and the answers in it


class Figures(NamedTuple):
    """Answers of one phase: their number, 99th percentile in milliseconds, and those of no success by status."""

    answers: int
    p99_ms: float
    errors: Counter[int]


class Steady:
    """A client at 127.0.0.1 that sends small images, every other one on a new connection."""

    def __init__(self, port: int, key: str, connections: int) -> None:
        """Start; `key` may be empty. Raise ChildProcessError where it cannot."""
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_send, args=(port, key, connections, theirs), daemon=True)
        self._process.start()
        theirs.close()  # else this process would wait for what it could send itself
        self._receive()  # it is connected

    def finish(self) -> Slices:
        """Stop it and return all answers; raise ChildProcessError where it has ended before."""
        with suppress(BrokenPipeError):
            self._ours.send("stop")
        found: Slices = self._receive()
        self._process.join()
        return found

    def _receive(self) -> Any:
        try:
            return self._ours.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            code = self._process.exitcode
            raise ChildProcessError(f"the steady client ended with exit code {code}: see its traceback") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.join()


def figures(slices: Slices, after: float, until: float) -> Figures:
    """Return the figures of the slices that ended between two moments."""
    chosen = [seen for end, seen in slices if after < end <= until]
    times = sorted(each for seen in chosen for each in seen.times)
    statuses = sum((seen.statuses for seen in chosen), Counter[int]())
    p99 = times[min(int(len(times) * 0.99), len(times) - 1)] * 1000 if times else float("inf")
    return Figures(statuses.total(), p99, Counter({key: n for key, n in statuses.items() if key != 200 and n}))


def _send(port: int, key: str, connections: int, main: Connection) -> None:
    fields = [f"Authorization: Bearer {key}"] if key else []
    kept, fresh = (post("/predict", bytes(784), RAW, *fields, *more) for more in ((), ("Connection: close",)))
    load, slices = Load(port, [kept, fresh], connections, RATE), Slices()
    main.send("connected")
    while not main.poll():
        seen = load.run(SLICE_SECONDS)
        slices.append((time.monotonic(), seen))
    seen = load.finish(LAST_SECONDS)
    slices.append((time.monotonic(), seen))
    main.send(slices)
