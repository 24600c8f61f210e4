"""Share a worker's connections, and the bytes of requests that it holds, among its clients."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from serving.gateway.access.proxies import network_of, within
from serving.gateway.access.rate_limit import RateLimit
from serving.gateway.server.limits import Limits, Refusal, Refused

REPLACED = 100  # connections a second, of a client that has its share, which new ones replace; more are a flood


class Connection(Protocol):
    """The part of a connection that this module needs."""

    def drop(self) -> None:
        """End it at once."""

    def refuse(self, refused: Refused) -> None:
        """Answer its request whose body is not whole, else the next one, with a refusal."""


class Client:
    """The connections of one client. `waiting` are those that wait for it, in the order of their waiting."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.open = 0
        self.waiting: dict[Connection, None] = {}  # ordered
        self.held: dict[Connection, int] = {}  # bytes of requests
        self.bytes = 0


class Connections:
    """All connections of a worker.

    A connection waits for its client while no whole request of it is unanswered: it is idle, or sends a head or a body.
    Where room is wanted, the longest waiting one goes: of a client that has its share, else of the client with most.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        """Hold connections to `limits`, on `clock`."""
        self._limits = limits
        self._replaced = RateLimit(REPLACED, REPLACED, clock)
        self._clients: dict[str, Client] = {}
        self._open = 0
        self._bytes = 0

    def floods(self, address: str) -> bool:
        """Say whether a new connection comes beyond its client's share, and too soon to replace another one."""
        name = network_of(address)
        client = self._clients.get(name)
        return client is not None and client.open >= client.most and self._replaced.take(name) > 0

    def add(self, connection: Connection, address: str) -> str:
        """Count a new connection from `address`, and end or refuse one where there are too many; return its client."""
        name = network_of(address)
        client = self._clients.get(name)
        if client is None:
            shared = not name or within(name, self._limits.proxies)  # a proxy, or a Unix socket
            client = Client(self._limits.connections if shared else self._limits.connections_per_client)
            self._clients[name] = client
        client.open += 1
        self._open += 1
        client.waiting[connection] = None
        if client.open > client.most:
            self._make_room(
                connection, [client], f"{client.most:,} connections of this client (GATEWAY_CONNECTIONS_PER_CLIENT)"
            )
        elif self._open > self._limits.connections:
            by_size = sorted(self._clients.values(), key=lambda each: -each.open)
            self._make_room(connection, by_size, f"{self._limits.connections:,} connections (GATEWAY_CONNECTIONS)")
        return name

    def remove(self, connection: Connection, name: str) -> None:
        """Forget a connection that has ended."""
        client = self._clients[name]
        client.open -= 1
        self._open -= 1
        client.waiting.pop(connection, None)
        self.release(connection, name, client.held.get(connection, 0))
        if not client.open:
            del self._clients[name]

    def waits(self, connection: Connection, name: str) -> None:
        """Note that a connection waits for its client from now on."""
        waiting = self._clients[name].waiting
        waiting.pop(connection, None)
        waiting[connection] = None

    def works(self, connection: Connection, name: str) -> None:
        """Note that a connection has a request to answer."""
        self._clients[name].waiting.pop(connection, None)

    def hold(self, connection: Connection, name: str, size: int) -> None:
        """Count `size` bytes of a request; where all have too many, refuse one of the client that has most."""
        client = self._clients[name]
        client.held[connection] = client.held.get(connection, 0) + size
        client.bytes += size
        self._bytes += size
        if self._bytes > self._limits.buffered:
            self._refuse_body(connection, client)

    def release(self, connection: Connection, name: str, size: int) -> None:
        """Forget `size` bytes that a connection held."""
        if not size:
            return
        client = self._clients[name]
        client.held[connection] -= size
        if not client.held[connection]:
            del client.held[connection]
        client.bytes -= size
        self._bytes -= size

    def _make_room(self, new: Connection, clients: list[Client], found: str) -> None:
        for client in clients:
            longest = next(iter(client.waiting)) if client.waiting else new
            if longest is not new:
                longest.drop()
                return
        detail = f"{found} are open; try again shortly."
        new.refuse(Refused(Refusal.TOO_MANY_CONNECTIONS, detail))

    def _refuse_body(self, new: Connection, of: Client) -> None:
        """Refuse the largest unfinished body of the client that has most, else what comes next on its connection."""
        most = max(self._clients.values(), key=lambda each: each.bytes)
        unfinished = [each for each in most.held if each in most.waiting]
        largest = new if most is of and not unfinished else max(unfinished or most.held, key=most.held.__getitem__)
        detail = (
            f"A worker holds {self._limits.buffered:,} bytes at most (GATEWAY_MAX_BUFFERED_BYTES); try again shortly."
        )
        largest.refuse(Refused(Refusal.TOO_MANY_BYTES, detail))
