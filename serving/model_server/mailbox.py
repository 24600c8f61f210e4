"""The way of answers from the threads that find them to the event loop that awaits them."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeAlias

from google.protobuf.message import Message

from serving.model_server.errors import ServingError, as_serving_error

Answer: TypeAlias = Message | ServingError


class Mailbox:
    """Brings answers to the running event loop, waking it once for all that come together."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._posted: deque[tuple[asyncio.Future[Answer], Answer]] = deque()
        self._waking = False

    def expect(self) -> "asyncio.Future[Answer]":
        """Return what an answer can be posted to."""
        return self._loop.create_future()

    def post(self, awaited: "asyncio.Future[Answer]", answer: Answer) -> None:
        """Have `awaited` get the answer; callable from any thread."""
        self._posted.append((awaited, answer))
        if not self._waking:
            self._waking = True
            self._loop.call_soon_threadsafe(self._open)

    def answer_in(
        self, threads: Executor, function: Callable[..., Message], *arguments: Any
    ) -> "asyncio.Future[Answer]":
        """Return the answer of `function`, called in one of the threads; what it raises is an answer, too."""
        awaited = self.expect()

        def answer() -> None:
            if awaited.cancelled():  # the client has gone before its turn came
                return
            try:
                self.post(awaited, function(*arguments))
            except Exception as error:
                self.post(awaited, as_serving_error(error))

        threads.submit(answer)
        return awaited

    def _open(self) -> None:
        self._waking = False  # before looking: what is posted from now on wakes the loop again
        while self._posted:
            awaited, answer = self._posted.popleft()
            if not awaited.done():  # unless the client has gone
                awaited.set_result(answer)
