"""Clients of the hosts: they predict at a steady rate, label some answers, and remember what came back."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import requests

from benchmarks.hosts.services import RAW, URL
from testing.api import ADMIN

CLIENTS = 8
PERIOD_SECONDS = 0.4  # of one client: 20 predictions a second in all
LABEL_EVERY = 2  # predictions
TIMEOUT_SECONDS = 30  # longer than the proxy waits for a host
IMAGE_BYTES = 784


class Answer(NamedTuple):
    """One request: its path, when it was sent and answered, its status, 0 without one."""

    path: str
    sent: float
    answered: float
    status: int

    @property
    def failed(self) -> bool:
        """Whether the client has no result."""
        return not 200 <= self.status < 300


class Load:
    """Threads that predict and label until the block ends."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.acknowledged: dict[str, str] = {}  # labels by prediction
        self._numbers = itertools.count(1)
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Send during the block."""
        threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(2 * TIMEOUT_SECONDS)

    def during(self, since: float) -> list[Answer]:
        """Return the answers to requests that ended after a moment."""
        return [answer for answer in list(self.answers) if answer.answered >= since]

    def _run(self, client: int) -> None:
        session, due = requests.Session(), time.monotonic() + PERIOD_SECONDS * client / CLIENTS
        for turn in itertools.count():
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            due += PERIOD_SECONDS
            image = next(self._numbers).to_bytes(IMAGE_BYTES, "little")
            answer = self._send(session, "/predict", data=image, headers={**RAW, "X-Unit-Id": f"{client}-{turn}"})
            if answer is not None and turn % LABEL_EVERY == 0:
                prediction = answer.json()["predictions"][0]["id"]
                label = {"prediction_id": prediction, "label": str(turn % 10), "source": "ground_truth"}
                if self._send(session, "/feedback", json=label, headers=ADMIN) is not None:
                    self.acknowledged[prediction] = label["label"]

    def _send(self, session: requests.Session, path: str, **options: object) -> requests.Response | None:
        """Send a request once; return the answer of one that succeeded."""
        sent, status = time.monotonic(), 0
        try:
            answer = session.post(URL + path, timeout=TIMEOUT_SECONDS, **options)  # type: ignore[arg-type]
            status = answer.status_code
        except requests.RequestException:
            pass
        self.answers.append(result := Answer(path, sent, time.monotonic(), status))
        return None if result.failed else answer
