"""The flow of one connection, as uvicorn's requests see it: reading, writing, closing."""

import asyncio
from collections.abc import Callable, Sized

from uvicorn.protocols.http.flow_control import FlowControl


class QueueingFlow(FlowControl):
    """Reads no more from a client while requests of its own wait for their turn, or once it has `ended`."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting
        self.ended = False

    def resume_reading(self) -> None:
        """Read on, unless requests wait."""
        if not self._waiting and not self.ended:
            super().resume_reading()


class AnswerTransport:
    """The transport of one request's answer, whose `close` lets the client take the answer."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close
