"""The event loop that asks the model server: the worker's own, or one in a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
CLOSE_SECONDS = 5.0


class EventLoop:
    """Runs coroutines for threads; every model server call and every batch of an application lives on it.

    A worker with an event loop gives its own by `use`. Under any other WSGI server a thread starts one when it is
    first needed, hence after any fork.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def use(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run coroutines on `loop`, which its owner runs and closes."""
        self._loop = loop

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run `coroutine` and return its result; call it from a thread other than the loop's."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._started()).result()

    def close(self) -> None:
        """Stop the loop if its thread is this object's."""
        if self._thread is None or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_SECONDS)
        self._loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="event loop", daemon=True)
                self._thread.start()
            return self._loop
