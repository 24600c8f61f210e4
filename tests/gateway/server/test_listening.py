"""Workers that share a listening socket, here two listeners of one thread."""

import socket
from collections.abc import Iterator

import gevent.socket
import pytest
from gevent.event import Event
from gevent.queue import Queue

from serving.gateway.server import listening
from serving.gateway.server.listening import MOST_WORKERS, Counts, Listener

SECONDS = 20.0


def test_only_a_worker_that_has_fewer_by_more_than_an_eighth_counts() -> None:
    counts = Counts()
    counts.join(1)
    assert not counts.fewer_elsewhere(1)
    counts.join(2)
    counts.add(1, 17)
    counts.add(2, 15)
    assert not counts.fewer_elsewhere(1)
    counts.add(2, -1)
    assert counts.fewer_elsewhere(1)
    assert not counts.fewer_elsewhere(2)
    counts.leave(2)
    assert not counts.fewer_elsewhere(1)


def test_connections_that_end_after_their_worker_has_left_are_not_counted() -> None:
    counts = Counts()
    counts.join(3)
    counts.add(3, 2)
    counts.leave(3)
    counts.add(3, -1)
    counts.join(4)
    counts.add(4, 1)
    assert not counts.fewer_elsewhere(4)
    counts.join(3 + MOST_WORKERS)  # the place of one that has gone
    assert counts.fewer_elsewhere(4)


class Two:
    """Two workers, 0 and 1, on one socket."""

    def __init__(self) -> None:
        self._shared = socket.create_server(("127.0.0.1", 0))
        self.address = self._shared.getsockname()
        self.taken: Queue[int] = Queue()
        self._end = Event()
        self._clients: list[gevent.socket.socket] = []
        self.listeners = [self._listener(worker) for worker in (0, 1)]

    def _listener(self, worker: int) -> Listener:
        listening.COUNTS.join(worker)
        shared = gevent.socket.socket(fileno=self._shared.dup().detach())

        def handle(connection: object, address: object) -> None:
            self.taken.put(worker)
            self._end.wait()

        return Listener(shared, handle, 100, worker)

    def connect(self) -> int:
        """Return who takes a new connection."""
        self._clients.append(gevent.socket.create_connection(self.address))
        return self.taken.get(timeout=SECONDS)

    def close(self) -> None:
        self._end.set()
        for listener in self.listeners:
            listener.stop()
        for each in (self._shared, *self._clients):
            each.close()


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    monkeypatch.setattr(listening, "COUNTS", Counts())
    made = Two()
    yield made
    made.close()


def test_connections_go_to_the_worker_that_has_fewer(workers: Two) -> None:
    workers.listeners[0].start()
    assert [workers.connect() for _ in range(4)] == [0, 0, 0, 0]
    workers.listeners[1].start()
    assert [workers.connect() for _ in range(3)] == [1, 1, 1]
    taken = [workers.connect() for _ in range(13)]
    assert 5 <= sum(taken) <= 8


def test_a_worker_takes_what_another_does_not(workers: Two) -> None:
    workers.listeners[0].start()
    assert [workers.connect() for _ in range(8)] == [0] * 8


def test_a_worker_goes_on_as_soon_as_the_others_have_as_many(workers: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "LEAVE_SECONDS", 10 * SECONDS)
    looks = iter([True, True, False])
    monkeypatch.setattr(listening.COUNTS, "fewer_elsewhere", lambda worker: next(looks))
    workers.listeners[0].start()
    assert workers.connect() == 0
    assert next(looks, None) is None


def test_an_ended_connection_is_counted_no_more(workers: Two) -> None:
    workers.listeners[0].start()
    workers.connect()
    assert listening.COUNTS.fewer_elsewhere(0)
    workers.close()
    assert not listening.COUNTS.fewer_elsewhere(0)
