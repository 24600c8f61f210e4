"""Bound what a worker does at once."""

import threading
from types import TracebackType

from serving.gateway.errors import TooManyRequests
from serving.gateway.telemetry.metrics import Metrics


class InFlight:
    """A context that at most `most` threads are in at a time; the next is refused with TooManyRequests."""

    def __init__(self, most: int, metrics: Metrics) -> None:
        self._most = most
        self._metrics = metrics
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> None:
        with self._lock:
            self._count += (admitted := self._count < self._most)
            self._metrics.in_flight(self._count)
        if not admitted:
            self._metrics.refused("in_flight")
            raise TooManyRequests(f"{self._most} predictions are being worked on; try again shortly.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._count -= 1
            self._metrics.in_flight(self._count)
