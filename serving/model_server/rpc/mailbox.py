"""The way from other threads to that of the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial


class Mailbox:
    """Has the thread of an event loop do things, waking it once for all that come together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._posted: deque[Callable[[], None]] = deque()
        self._waking = False

    def post(self, action: Callable[..., None], *arguments: object) -> None:
        """Have `action` called there; callable from any thread."""
        self._posted.append(partial(action, *arguments))
        if not self._waking:
            self._waking = True
            self._loop.call_soon_threadsafe(self._open)

    def _open(self) -> None:
        self._waking = False  # before looking: what is posted from now on wakes the loop again
        while self._posted:
            self._posted.popleft()()
