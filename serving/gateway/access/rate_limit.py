"""Hold each client to a rate."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CLIENTS = 10_000  # that are remembered; beyond, the one that came longest ago is forgotten


class RateLimit:
    """A bucket of `burst` tokens for each client, refilled at `rate` a second: the generic cell rate algorithm.

    It is one worker's: what a client has used of another's is not known here.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / rate
        self._slack = (burst - 1) * self._interval
        self._clock = clock
        self._lock = threading.Lock()
        self._full: OrderedDict[str, float] = OrderedDict()  # when each client's bucket will be full again

    def take(self, client: str) -> float:
        """Take a token of `client`: return 0, or if there is none the seconds until there is."""
        with self._lock:
            now = self._clock()
            full = max(self._full.get(client, now), now)
            wait = full - now - self._slack
            if wait > 0:
                return wait
            self._full[client] = full + self._interval
            self._full.move_to_end(client)
            self._forget(now)
            return 0.0

    def _forget(self, now: float) -> None:
        """Drop clients whose buckets are full, which is as if they had never come, and any that are too many."""
        while len(self._full) > MOST_CLIENTS or next(iter(self._full.values())) <= now:
            self._full.popitem(last=False)
