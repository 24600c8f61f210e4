"""Share a worker's connections, and the bytes of requests and answers that it holds, among its clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from serving.gateway.access.proxies import network_of, within
from serving.gateway.access.rate_limit import RateLimit
from serving.gateway.server.limits import Limits, Refusal, Refused

REPLACED = 100  # connections a second, of a client that has its share, which new ones replace; more are a flood
SHARE_OF_BYTES = 0.5  # that one client may hold


class Connection(Protocol):
    """The part of a connection that this module needs."""

    def drop(self) -> None:
        """End it at once."""

    def refuse(self, refused: Refused) -> None:
        """Answer its request that is not whole with a refusal, and hold its bytes no longer."""


class Client:
    """The connections of one client. `waiting` are those that wait for it, in the order of their waiting."""

    def __init__(self, name: str, most: int, most_bytes: float) -> None:
        self.name = name
        self.most = most
        self.most_bytes = most_bytes
        self.open = 0
        self.waiting: dict[Connection, None] = {}  # ordered
        self.held: dict[Connection, int] = {}  # bytes
        self.bytes = 0


class Connections:
    """All connections of a worker.

    A connection waits for its client while no whole request of it is unanswered: it is idle, sends a head or a body, or
    does not take its answer. Where room is wanted, the longest waiting one goes: of a client that has its share, else
    of the client with most. A connection of a trusted proxy belongs to the client of its last request.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        """Hold connections to `limits`, on `clock`."""
        self._limits = limits
        self._replaced = RateLimit(REPLACED, REPLACED, clock)
        self._clients: dict[str, Client] = {}
        self._of: dict[Connection, Client] = {}
        self._bytes = 0

    def floods(self, address: str) -> bool:
        """Say whether a new connection comes beyond its client's share, and too soon to replace another one."""
        name = network_of(address)
        client = self._clients.get(name)
        return client is not None and client.open >= client.most and self._replaced.take(name) > 0

    def is_shared(self, address: str) -> bool:
        """Say whether connections from `address` are those of many clients: of a proxy, or of a Unix socket."""
        return not address or within(network_of(address), self._limits.proxies)

    def add(self, connection: Connection, address: str) -> None:
        """Count a new connection from `address`; end or refuse one where there are too many."""
        client = self._client(address)
        self._join(connection, client)
        self._make_room(connection, client)

    def assign(self, connection: Connection, address: str) -> None:
        """Let a connection belong to the client at `address`; end or refuse one where it has too many."""
        before = self._of.get(connection)
        if before is None or before.name == network_of(address):
            return
        client = self._client(address)
        size = before.held.get(connection, 0)
        self._leave(connection, before)
        self._join(connection, client)
        self._count(connection, client, size)
        self._make_room(connection, client)

    def remove(self, connection: Connection) -> None:
        """Forget a connection that has ended, or is about to."""
        if client := self._of.pop(connection, None):
            self._leave(connection, client)

    def waits(self, connection: Connection) -> None:
        """Note that a connection waits for its client from now on."""
        if client := self._of.get(connection):
            client.waiting.pop(connection, None)
            client.waiting[connection] = None

    def works(self, connection: Connection) -> None:
        """Note that a connection has a request to answer."""
        if client := self._of.get(connection):
            client.waiting.pop(connection, None)

    def hold(self, connection: Connection, size: int) -> None:
        """Count `size` bytes of a connection.

        Where its client, or all together, have too many, refuse the largest request of the client that is not whole,
        or of the client with most. Where there is none, refuse that of `connection`.
        """
        client = self._of.get(connection)
        if client is None:
            return
        self._count(connection, client, size)
        if client.bytes > client.most_bytes:
            self._refuse_largest(connection, client)
        elif self._bytes > self._limits.buffered:
            self._refuse_largest(connection, max(self._clients.values(), key=lambda each: each.bytes))

    def release(self, connection: Connection, size: int) -> None:
        """Forget `size` bytes that a connection held."""
        if size and (client := self._of.get(connection)):
            self._count(connection, client, -size)

    def _client(self, address: str) -> Client:
        name = network_of(address)
        if name not in self._clients:
            limits, shared = self._limits, self.is_shared(address)
            most = limits.connections if shared else limits.connections_per_client
            self._clients[name] = Client(name, most, limits.buffered * (1 if shared else SHARE_OF_BYTES))
        return self._clients[name]

    def _join(self, connection: Connection, client: Client) -> None:
        self._of[connection] = client
        client.open += 1
        client.waiting[connection] = None

    def _leave(self, connection: Connection, client: Client) -> None:
        client.open -= 1
        client.waiting.pop(connection, None)
        self._count(connection, client, -client.held.get(connection, 0))
        if not client.open:
            del self._clients[client.name]

    def _count(self, connection: Connection, client: Client, size: int) -> None:
        if not size:
            return
        client.held[connection] = client.held.get(connection, 0) + size
        if not client.held[connection]:
            del client.held[connection]
        client.bytes += size
        self._bytes += size

    def _make_room(self, new: Connection, client: Client) -> None:
        from_clients: Iterable[Client]
        if client.open > client.most:
            found = f"{client.most:,} connections of this client (GATEWAY_CONNECTIONS_PER_CLIENT)"
            from_clients = [client]
        elif len(self._of) > self._limits.connections:
            found = f"{self._limits.connections:,} connections (GATEWAY_CONNECTIONS)"
            by_size = sorted(self._clients.values(), key=lambda each: -each.open)
            from_clients = (each for each in by_size if each.open >= client.open)
        else:
            return
        for each in from_clients:
            longest = next((waiting for waiting in each.waiting if waiting is not new), None)
            if longest is not None:
                self.remove(longest)
                longest.drop()
                return
        new.refuse(Refused(Refusal.TOO_MANY_CONNECTIONS, f"{found} are open; try again shortly."))

    def _refuse_largest(self, new: Connection, client: Client) -> None:
        unfinished = [each for each in client.held if each in client.waiting]
        largest = max(unfinished, key=client.held.__getitem__, default=new)
        most = f"{self._limits.buffered:,} bytes (GATEWAY_MAX_BUFFERED_BYTES), half of them for one client"
        largest.refuse(Refused(Refusal.TOO_MANY_BYTES, f"A worker holds {most}; try again shortly."))
