"""Connections are taken by the worker that has the fewest, not by the one that happens to be awake."""

import mmap
import time
from collections.abc import Callable
from typing import Any

import gevent.socket
from gevent.pool import Pool
from gevent.server import StreamServer

MOST_WORKERS = 512  # at a time; twice as many as may be set, since a reload has the old ones beside the new
LEAVE_SECONDS = 0.01  # that a connection is left to the other workers, at most
LOOK_SECONDS = 0.001  # between looks whether they have as many now
NOBODY = -1


class Counts:
    """How many connections each worker has open, in memory that is shared by all processes forked after it was made.

    A worker is known by gunicorn's number of it, its `age`.
    """

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * MOST_WORKERS)).cast("i")
        for slot in range(MOST_WORKERS):
            self._counts[slot] = NOBODY

    def join(self, worker: int) -> None:
        """Count a worker from now on."""
        self._counts[worker % MOST_WORKERS] = 0

    def add(self, worker: int, connections: int) -> None:
        """Count connections that the calling worker has taken, or, if negative, that have ended."""
        if self._counts[worker % MOST_WORKERS] != NOBODY:
            self._counts[worker % MOST_WORKERS] += connections

    def leave(self, worker: int) -> None:
        """Do not count a worker any more, which takes no connections."""
        self._counts[worker % MOST_WORKERS] = NOBODY

    def fewer_elsewhere(self, worker: int) -> bool:
        """Say whether another worker has fewer connections, by more than an eighth."""
        own = self._counts[worker % MOST_WORKERS]
        enough = own - own // 8
        return any(NOBODY < count < enough for count in self._counts)


COUNTS = Counts()


class Listener(StreamServer):
    """Takes a worker's connections from a socket that all workers share."""

    max_accept = 100  # at a time; `do_read` says when others have their turn

    def __init__(self, listener: gevent.socket.socket, handle: Callable[..., None], most: int, worker: int) -> None:
        """Prepare to call `handle` in a greenlet for each connection, for `most` at a time."""
        super().__init__(listener, handle=handle, spawn=Pool(most))
        self._worker = worker

    def do_read(self) -> tuple[Any, ...] | None:
        """Take a connection, or leave it for a moment to another worker, which has fewer."""
        if COUNTS.fewer_elsewhere(self._worker):
            self.stop_accepting()
            self._until = time.monotonic() + LEAVE_SECONDS
            self._pause = self.loop.timer(LOOK_SECONDS, LOOK_SECONDS)  # a new one: libev's cannot be started twice
            self._pause.start(self._go_on, update=True)  # the loop's own time may be old
            return None
        return super().do_read()

    def do_handle(self, *arguments: Any) -> None:
        """Handle a connection."""
        COUNTS.add(self._worker, 1)
        super().do_handle(*arguments)

    def do_close(self, *arguments: Any) -> None:
        """End a connection."""
        COUNTS.add(self._worker, -1)
        super().do_close(*arguments)

    def _go_on(self) -> None:
        """Go on, with what nobody has taken, once the others have as many or have had their time."""
        if self.started and COUNTS.fewer_elsewhere(self._worker) and time.monotonic() < self._until:
            return
        self._pause.close()
        if not self.started:
            return
        try:
            if not self.full() and (taken := super().do_read()):
                self.do_handle(*taken)
        finally:
            self.start_accepting()
