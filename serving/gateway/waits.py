"""How a request waits for other threads: as a thread does, until the worker makes it wait as a greenlet does."""

import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


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
        """Call `function` when the requests that have arrived by now have been looked at; callable from any thread."""

    def away(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what `function` does, which takes long, while other requests go on."""


class ThreadsWay:
    """Requests have threads of their own, which may block."""

    event = staticmethod(threading.Event)

    def soon(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call `function` now: threads look at requests each for itself."""
        function(*arguments)

    def away(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call `function` here: no other request waits for this thread."""
        return function(*arguments)


class Waits:
    """The way of waiting in this process."""

    def __init__(self) -> None:
        self.way: Way = ThreadsWay()
