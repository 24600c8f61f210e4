"""Watch a gateway's workers: their largest memory, and whether one is lost."""

import contextlib
import threading
from typing import Self

import psutil

from testing.running_gateway import Gateway

LOOK_SECONDS = 0.05
MOST_MEMORY = 250_000_000  # bytes of a worker


class Watch:
    """Looks at the workers for as long as a `with` block takes."""

    def __init__(self, gateway: Gateway) -> None:
        """Remember the workers that run now."""
        self._gateway, self._workers = gateway, gateway.workers()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peak = 0  # bytes

    @property
    def lost(self) -> int:
        """Return the number of workers that have ended."""
        return len(set(self._workers) - set(self._gateway.workers()))

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            for worker in self._workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.peak = max(self.peak, worker.memory_info().rss)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
