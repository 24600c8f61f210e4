"""Share something scarce among clients: they take turns, one request each."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from serving.gateway.errors import TooManyRequests

MOST_WAITING = 256  # requests of one client, unless told otherwise


class FairShare:
    """Gives `slots` to the requests of an event loop, of which one client has `each` at most.

    Clients that wait take turns, and a client's own requests keep their order.
    """

    def __init__(
        self, slots: int, each: int, refused: Callable[[], None] = lambda: None, most_waiting: int = MOST_WAITING
    ) -> None:
        """Prepare; `refused` is called for each request for which `most_waiting` of its client wait already."""
        self._free = slots
        self._each = each
        self._refused = refused
        self._most_waiting = most_waiting
        self._taken: dict[str, int] = {}
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, client: str, seconds: float | None = None) -> AsyncIterator[None]:
        """Wait for a slot, `seconds` at most, and hold it.

        Raise TooManyRequests where too many requests of the client wait already, TimeoutError after `seconds`.
        """
        async with asyncio.timeout(seconds):
            await self._take(client)
        try:
            yield
        finally:
            self._give_back(client)

    async def _take(self, client: str) -> None:
        queue = self._waiting.setdefault(client, deque())
        if len(queue) >= self._most_waiting:
            self._refused()
            raise TooManyRequests(f"{self._most_waiting} requests of this client wait already; try again shortly.")
        ready = asyncio.get_running_loop().create_future()
        queue.append(ready)
        self._next()
        try:
            await ready
        except asyncio.CancelledError:
            if not ready.cancelled():
                self._give_back(client)
            elif ready in self._waiting.get(client, ()):
                self._waiting[client].remove(ready)
                self._forget_idle(client)
            raise

    def _give_back(self, client: str) -> None:
        self._free += 1
        self._taken[client] -= 1
        if not self._taken[client]:
            del self._taken[client]
        self._next()

    def _next(self) -> None:
        """Give the free slots to the clients whose turn it is."""
        while self._free and (client := self._whose_turn()) is not None:
            queue = self._waiting[client]
            ready = queue.popleft()
            self._waiting.move_to_end(client)
            self._forget_idle(client)
            if not ready.cancelled():
                ready.set_result(None)
                self._free -= 1
                self._taken[client] = self._taken.get(client, 0) + 1

    def _forget_idle(self, client: str) -> None:
        if not self._waiting[client]:
            del self._waiting[client]

    def _whose_turn(self) -> str | None:
        return next((client for client in self._waiting if self._taken.get(client, 0) < self._each), None)
