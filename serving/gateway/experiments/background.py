"""Run a background thread in a worker."""

import threading
import time
from collections.abc import Callable

LAST_SECONDS = 5.0  # to finish the work under way when the worker ends


class Background:
    """A daemon thread that starts at its first use, hence after any fork."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        """Prepare to run `run`, which returns soon after its owner tells it to end."""
        self._name = name
        self._run = run
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def start(self) -> None:
        """Start the thread, once."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Wait for its end, LAST_SECONDS at most."""
        if self._thread is not None:
            self._thread.join(LAST_SECONDS)


class Flushing:
    """A background thread that flushes a queue now and then, and at its end for LAST_SECONDS at most."""

    def __init__(self, name: str, seconds: float, waits: Callable[[], object], flush: Callable[[], None]) -> None:
        """Prepare to call `flush` every `seconds`, and at the end until nothing `waits`."""
        self._seconds = seconds
        self._waits = waits
        self._flush = flush
        self._ending = threading.Event()
        self._thread = Background(name, self._run)

    @property
    def is_ending(self) -> bool:
        """Whether its owner has told it to end."""
        return self._ending.is_set()

    def start(self) -> None:
        """Start the thread, once."""
        self._thread.start()

    def close(self) -> None:
        """Flush what waits, and end."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        until = float("inf")
        while time.monotonic() < until:
            if self._ending.wait(self._seconds):
                until = min(until, time.monotonic() + LAST_SECONDS)
                if not self._waits():
                    return
            self._flush()
