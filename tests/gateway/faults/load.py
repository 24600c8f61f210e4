"""A steady load of a few threads, which keep what they see."""

import threading
import time
from collections import Counter
from typing import NamedTuple

import requests

from testing.waiting import PATIENCE, eventually

THREADS = 4
PAUSE = 0.02  # seconds between an answer and the next request of a thread
BROKEN = 0  # stands where there is no status, because the connection ended before its answer


class Seen(NamedTuple):
    """The outcome of one request: its status, the variant that answered, its seconds."""

    status: int
    variant: str | None
    seconds: float


class Load:
    """POST /predict over and over, for as long as the block takes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(THREADS)]
        self._seen: list[Seen] = []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        try:
            self.sees(200, 20)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with requests.Session() as session:
            session.headers["Content-Type"] = "application/octet-stream"
            while not self._stop.wait(PAUSE):
                started = time.monotonic()
                try:
                    answer = session.post(f"{self.url}/predict", data=bytes(784), timeout=PATIENCE)
                    status, variant = answer.status_code, answer.headers.get("X-Variant")
                except requests.ConnectionError:
                    status, variant = BROKEN, None
                self._seen.append(Seen(status, variant, time.monotonic() - started))

    def forget(self) -> None:
        """Begin anew with what is seen."""
        self._seen = []

    def sees(self, status: int, times: int) -> None:
        """Wait until so many requests have ended in `status` since the last `forget`."""
        eventually(lambda: self.statuses()[status] >= times, f"{times} × {status}")

    def recovers(self) -> None:
        """Wait until 50 requests in a row have succeeded; begin anew."""
        self.forget()
        eventually(lambda: [each.status for each in self._seen[-50:]] == [200] * 50, "50 answers in a row")
        self.forget()

    def statuses(self) -> Counter[int]:
        """Return how often each status was seen since the last `forget`."""
        return Counter(each.status for each in list(self._seen))

    def variants(self) -> Counter[str | None]:
        """Return how often each variant answered since then."""
        return Counter(each.variant for each in list(self._seen))

    def longest(self) -> float:
        """Return how many seconds the slowest answer took since then."""
        return max(each.seconds for each in list(self._seen))
