"""Hold each client to a rate.

Ours, since flask-limiter misses predictions, which bypass Flask, and `limits` would replace only these lines.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CLIENTS = 10_000  # in memory; beyond them, the least recent one is forgotten


class RateLimit:
    """A bucket of `burst` tokens for each client, refilled at `rate` a second: the generic cell rate algorithm.

    Each worker has its own buckets.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / rate
        self._slack = (burst - 1) * self._interval
        self._clock = clock
        self._lock = threading.Lock()
        self._full: OrderedDict[str, float] = OrderedDict()  # time at which each bucket is full again

    def take(self, client: str) -> float:
        """Take a token of `client`; return 0, or the seconds until the next token."""
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

    def charge(self, client: str, tokens: float) -> None:
        """Take more tokens of `client` for work that turned out larger, even where it has none left."""
        with self._lock:
            now = self._clock()
            self._full[client] = max(self._full.get(client, now), now) + tokens * self._interval
            self._full.move_to_end(client)
            self._forget(now)

    def _forget(self, now: float) -> None:
        """Drop clients with full buckets, which equals having none, and those beyond MOST_CLIENTS."""
        while self._full and (len(self._full) > MOST_CLIENTS or next(iter(self._full.values())) <= now):
            self._full.popitem(last=False)
