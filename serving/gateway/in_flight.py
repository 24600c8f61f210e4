"""Bound what a worker does at once."""

import threading
from types import TracebackType

from serving.gateway.errors import TooManyRequests


class InFlight:
    """A context that at most `most` threads are in at a time; the next is refused with TooManyRequests."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = threading.Semaphore(most)

    def __enter__(self) -> None:
        if not self._free.acquire(blocking=False):
            raise TooManyRequests(f"{self._most} predictions are being worked on; try again shortly.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.release()
