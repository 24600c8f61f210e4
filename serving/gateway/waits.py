"""How a request waits for other threads: as a thread does, until the worker makes it wait as a greenlet does."""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
MOST_THREADS = 128


class Away(Protocol):
    """What calls a function that takes long, and returns what that does, while other requests go on."""

    def __call__(self, function: Callable[..., T], *arguments: Any) -> T: ...  # noqa: D102


class Event(Protocol):
    """What `threading.Event` is; `set` may be called by any thread."""

    def set(self) -> None: ...  # noqa: D102

    def wait(self, timeout: float | None = None) -> bool: ...  # noqa: D102


class Way(Protocol):
    """One way of waiting."""

    def event(self) -> Event:
        """Return an event that the caller can wait for."""

    def soon(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have `function` called, which may wait, when the requests that have arrived by now have been looked at."""

    def sockets(self) -> ModuleType:
        """Return the module whose sockets the caller can wait for."""

    def away(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what `function` does, which takes long, while other requests go on."""

    def close(self) -> None:
        """End what threads it has."""


class ThreadsWay:
    """Requests have threads of their own, which may block."""

    event = staticmethod(threading.Event)

    def __init__(self) -> None:
        """Threads for `soon` start when they are needed."""
        self._threads = ThreadPoolExecutor(MOST_THREADS, "soon")

    def soon(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have a thread call `function` now: others look at requests, each for itself."""
        self._threads.submit(function, *arguments)

    def sockets(self) -> ModuleType:
        """Return Python's own module."""
        return socket

    def away(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call `function` here: no other request waits for this thread."""
        return function(*arguments)

    def close(self) -> None:
        """Finish what is to be done soon."""
        self._threads.shutdown()


class Waits:
    """The way of waiting in this process."""

    def __init__(self) -> None:
        self.way: Way = ThreadsWay()
