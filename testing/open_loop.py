"""Requests at a fixed rate, whether answers come or not: people do not wait for each other.

The time of an answer counts from the moment at which its request was due. So a pause of the service counts for every
request that had to wait meanwhile, not just for the one on each connection ("coordinated omission").
"""

import select
import socket
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from testing.http_load import content_length

LARGEST_READ = 65_536
PATIENCE_SECONDS = 10.0  # for a connection, and for a request to be taken
HEAD_END = b"\r\n\r\n"
CLOSING = b"\r\nconnection: close"
BROKEN = 0  # stands where there is no status, because the connection ended before its answer


@dataclass
class TimedAnswers:
    """Answers of some time: their statuses, and how long each took, in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """Return how many requests have no answer of status 200."""
        return self.statuses.total() - self.statuses[200]


class Connection:
    """One connection, in TLS where there is a context for it, on which one request at a time is under way."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._unread = b""
        self.due = 0.0
        self.socket: socket.socket
        self._connect()

    def _connect(self) -> None:
        plain = socket.create_connection((self._host, self._port), timeout=PATIENCE_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = self._tls.wrap_socket(plain, server_hostname=self._host) if self._tls else plain

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was due at a moment; on a new connection where the last has ended.

        Raise OSError where there is none to be had.
        """
        self.due, self._unread = due, b""
        try:
            if self.socket.fileno() < 0 or self._has_ended():
                raise ConnectionResetError
            self.socket.sendall(request)
        except OSError:
            self.socket.close()
            self._connect()
            self.socket.sendall(request)

    def receive(self) -> int | None:
        """Read more of the answer; return its status once it is whole, BROKEN where there will be none."""
        try:
            received = self._read()
        except ssl.SSLWantReadError:
            return None
        except OSError:
            received = b""
        if not received:
            return BROKEN
        self._unread += received
        head, end, body = self._unread.partition(HEAD_END)
        if not end or len(body) < content_length(head):
            return None
        if CLOSING in head.lower():
            self.socket.close()
        return int(head.split(b" ", 2)[1])

    def _has_ended(self) -> bool:
        """Say whether the connection has ended; nothing is under way, so else there is nothing to read."""
        if not select.select([self.socket], [], [], 0)[0]:
            return False
        try:
            self._read()
        except ssl.SSLWantReadError:  # a part of TLS itself, such as a session ticket
            return False
        except OSError:
            pass
        return True

    def _read(self) -> bytes:
        """Read what has come; raise SSLWantReadError where that is no data, OSError for a broken connection."""
        if not isinstance(self.socket, ssl.SSLSocket):
            return self.socket.recv(LARGEST_READ)
        self.socket.settimeout(0)
        try:
            received = self.socket.recv(LARGEST_READ)
            while received and self.socket.pending():
                received += self.socket.recv(LARGEST_READ)
        finally:
            self.socket.settimeout(PATIENCE_SECONDS)
        return received


class Load:
    """`rate` requests a second, spread evenly, over as many connections as are free; without a rate, all it can."""

    def __init__(
        self, port: int, requests: Sequence[bytes], connections: int, rate: float | None, *,
        host: str = "127.0.0.1", tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        """Connect to `host`, in TLS where there is a context for it; raise OSError where that fails."""
        self._requests = requests
        self._free = [Connection(host, port, tls) for _ in range(connections)]
        self._waiting: dict[socket.socket, Connection] = {}
        self._rate = rate
        self._began = time.perf_counter()
        self._sent = 0

    def run(self, seconds: float) -> TimedAnswers:
        """Send for so long and return the answers; those still under way belong to the next run."""
        seen, end = TimedAnswers(), time.perf_counter() + seconds
        while (now := time.perf_counter()) < end:
            while self._free and (due := self._due(now)) <= now:
                self._send(seen, due)
            wait = min(end, self._due(end)) - now if self._free else end - now
            self._receive(seen, max(wait, 0))
        return seen

    def finish(self, seconds: float) -> TimedAnswers:
        """Wait at most so long for answers under way, count missing ones as broken, and close."""
        seen, end = TimedAnswers(), time.perf_counter() + seconds
        while self._waiting and (left := end - time.perf_counter()) > 0:
            self._receive(seen, left)
        seen.statuses[BROKEN] += len(self._waiting)
        for connection in (*self._free, *self._waiting.values()):
            connection.socket.close()
        return seen

    def _due(self, now: float) -> float:
        return now if self._rate is None else self._began + self._sent / self._rate

    def _send(self, seen: TimedAnswers, due: float) -> None:
        connection, request = self._free.pop(), self._requests[self._sent % len(self._requests)]
        self._sent += 1
        try:
            connection.send(request, due)
        except OSError:
            self._end(seen, connection, BROKEN)
        else:
            self._waiting[connection.socket] = connection

    def _end(self, seen: TimedAnswers, connection: Connection, status: int) -> None:
        seen.statuses[status] += 1
        seen.times.append(time.perf_counter() - connection.due)
        self._free.append(connection)

    def _receive(self, seen: TimedAnswers, wait: float) -> None:
        for each in select.select(list(self._waiting), [], [], wait)[0]:
            connection = self._waiting[each]
            if (status := connection.receive()) is not None:
                self._end(seen, self._waiting.pop(each), status)
