"""The limits on connections that uvicorn lacks: how many there are, and how long a request's head may take."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from serving.model_server.rest.api import error_text

IDLE_SECONDS = 30  # between two requests, and for a request's head
FULL = error_text("Too many connections; try again.").encode()
FULL_HEAD = (
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n"
    f"Content-Length: {len(FULL)}\r\n\r\n"
).encode()


class LimitedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 on one connection, for `uvicorn.Config(http=…)`."""

    max_connections: int
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Answer 503 to a connection too many, and limit the others' time."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.write(FULL_HEAD + FULL)
            transport.close()
        else:
            self._await_head()

    def on_response_complete(self) -> None:
        """Limit the time for the next request's head."""
        self._await_head()  # first: the call below begins a request that has come already
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time limit."""
        if self._head_timer:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._head_timer:
            self._head_timer.cancel()
        self._head_timer = self.loop.call_later(IDLE_SECONDS, self._give_up, self.cycle)

    def _give_up(self, last: object) -> None:
        """End the connection if no request has begun since the `last` one."""
        if self.cycle is last:
            self.transport.abort()


def limited_to(connections: int) -> type[LimitedProtocol]:
    """Return the protocol for at most so many connections at a time."""
    return type("LimitedProtocol", (LimitedProtocol,), {"max_connections": connections})
