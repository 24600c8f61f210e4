"""Kill a gateway or its database repeatedly under load, and check every acknowledged label."""

import random
import threading
from collections.abc import Callable
from typing import NamedTuple

import requests
from sqlalchemy import select

from serving.gateway.experiments.prediction_id import read
from serving.gateway.store.experiments import signing_key
from serving.gateway.store.sources import SOURCES
from serving.gateway.store.store import Store
from serving.gateway.store.tables import feedback
from testing.api import ADMIN
from testing.recount import problems
from testing.running_gateway import Gateway
from testing.traffic import PAIRED, RAW, images
from testing.waiting import eventually

THREADS = 4
LABELS_A_ROUND = 40  # acknowledged before the next kill


class Told(NamedTuple):
    """A label to send."""

    prediction_id: str
    source: str
    label: str


class Found(NamedTuple):
    """The result of a run: labels acknowledged, labels lost or changed, and faults of counters."""

    acknowledged: int
    lost: int
    problems: list[str]


class _Load:
    """Threads that predict, label, and remember acknowledgements; they repeat unanswered requests."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(THREADS)]
        self.acknowledged: dict[tuple[str, str], str] = {}  # by prediction and source
        self.errors: list[str] = []

    def __enter__(self) -> "_Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        rng, pending = random.Random(number), list[Told]()
        while not self._stop.is_set():
            try:
                pending = pending or self._ask(rng)
                while pending and not self._stop.is_set():
                    self._label(*pending[-1])
                    pending.pop()
            except (requests.RequestException, _Down):
                self._stop.wait(0.02)

    def _ask(self, rng: random.Random) -> list["Told"]:
        labels = [rng.randrange(10) for _ in range(3)]
        answer = requests.post(f"{self._url}/predict", data=images(*labels), headers={"Content-Type": RAW}, timeout=10)
        if not answer.ok:
            raise _Down
        return [
            Told(each["id"], source, str(rng.choice(labels)))
            for each in answer.json()["predictions"]
            for source in rng.sample(SOURCES, rng.randint(1, len(SOURCES)))
        ]

    def _label(self, prediction: str, source: str, label: str) -> None:
        body = {"prediction_id": prediction, "label": label, "source": source}
        answer = requests.post(f"{self._url}/feedback", json=body, headers=ADMIN, timeout=10)
        if answer.status_code in (200, 201):
            self.acknowledged[prediction, source] = label
        elif answer.status_code == 503:
            raise _Down
        elif answer.status_code != 404:  # a worker gives ids without feedback before its first contact with the store
            self.errors.append(answer.text)


class _Down(Exception):
    pass


def torture(gateway: Gateway, database_url: str, kill: Callable[[int], None], rounds: int) -> Found:
    """Run an experiment under load, call `kill` with the number of each round, and check the store at the end."""
    for path, body in (("experiments", PAIRED), ("experiments/test/start", {})):
        requests.post(f"{gateway.url}/{path}", json=body, headers=ADMIN, timeout=20).raise_for_status()
    with _Load(gateway.url) as load:
        for number in range(rounds + 1):
            enough = len(load.acknowledged) + LABELS_A_ROUND
            eventually(lambda enough=enough: len(load.acknowledged) >= enough, "labels to be acknowledged")  # type: ignore[misc]
            if number < rounds:
                kill(number)
    assert gateway.stop() == 0
    return _found(database_url, load)


def killer(gateway: Gateway) -> Callable[[int], None]:
    """Return a function that kills one worker, or all of them every third time."""
    rng = random.Random(7)

    def kill(number: int) -> None:
        workers = gateway.workers()
        for worker in workers if number % 3 == 2 else [rng.choice(workers)]:
            worker.kill()

    return kill


def _found(database_url: str, load: _Load) -> Found:
    store = Store(database_url)
    with store.read() as connection:
        secret = signing_key(connection)
        rows = connection.execute(select(feedback.c.prediction, feedback.c.source, feedback.c.label)).all()
        stored = {(row.prediction, row.source): row.label for row in rows}
        lost = sum(
            stored.get((_key(secret, each), source)) != label for (each, source), label in load.acknowledged.items()
        )
        wrong = problems(connection, 1) + load.errors
    store.close()
    return Found(len(load.acknowledged), lost, wrong)


def _key(secret: bytes, prediction_id: str) -> str:
    prediction = read(secret, prediction_id)
    assert prediction is not None
    return prediction.key
