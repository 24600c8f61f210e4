"""Bound the predictions that a worker works on at once."""

import threading
from types import TracebackType

from serving.gateway.errors import TooManyRequests
from serving.gateway.telemetry.metrics import Metrics


class InFlight:
    """A context that at most `most` requests are in at a time; the next is refused with TooManyRequests."""

    def __init__(self, most: int, metrics: Metrics) -> None:
        self._most = most
        self._metrics = metrics
        self._lock = threading.Lock()
        self.count = 0

    def __enter__(self) -> None:
        with self._lock:
            admitted = self.count < self._most
            self.count += admitted
        if not admitted:
            self._metrics.refused("in_flight")
            raise TooManyRequests(f"{self._most} predictions are being worked on; try again shortly.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self.count -= 1
