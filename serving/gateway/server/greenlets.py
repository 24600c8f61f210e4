"""Requests as greenlets of one thread, beside native threads for what blocks: nothing is monkey-patched."""

import socket
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

import gevent.socket
from gevent import spawn
from gevent.event import Event as LocalEvent
from gevent.hub import Hub
from gevent.threadpool import ThreadPool

from serving.gateway.waits import Event, ThreadsWay

T = TypeVar("T")
SOON_SECONDS = 0.005  # within which what is to be done soon is done though sockets can be read all the time


class GreenletsWay:
    """The thread of `hub` waits as greenlets do, any other as threads do."""

    def __init__(self, hub: Hub, threads: int) -> None:
        """Prepare for the thread that this is called in, which runs `hub`; so many threads do what takes long."""
        self._thread = threading.get_ident()
        self._native = ThreadsWay()
        self._pool = ThreadPool(threads, hub)
        self._set: deque[LocalEvent] = deque()
        self._soon: deque[Callable[[], object]] = deque()
        self._waker = hub.loop.async_()
        self._waker.start(self._wake)
        self._idle = hub.loop.idle()
        self._latest = hub.loop.timer(0.0, SOON_SECONDS)

    def event(self) -> Event:
        """Return an event for the calling greenlet or thread."""
        return _GreenletEvent(self) if threading.get_ident() == self._thread else self._native.event()

    def soon(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have a greenlet call `function` when all sockets that can be read now have been; callable from any thread.

        Under overload there are always some: so after SOON_SECONDS at the latest.
        """
        self._soon.append(partial(function, *arguments))
        if threading.get_ident() == self._thread:
            self._call_soon()
        else:
            self._waker.send()

    def sockets(self) -> ModuleType:
        """Return gevent's module for a greenlet, Python's own for a thread."""
        return gevent.socket if threading.get_ident() == self._thread else socket

    def away(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what `function` does in another thread, and let other greenlets go on."""
        if threading.get_ident() == self._thread:
            value, error = self._pool.apply(_caught, (function, arguments))
            if error is not None:
                raise error
            return value
        return function(*arguments)

    def close(self) -> None:
        """End the threads."""
        self._native.close()
        self._pool.kill()

    def post(self, happened: LocalEvent) -> None:
        """Have `happened` set by the hub's thread; callable from any. One wake-up does for many."""
        if threading.get_ident() == self._thread:
            happened.set()
        else:
            self._set.append(happened)
            self._waker.send()

    def _wake(self) -> None:
        while self._set:
            self._set.popleft().set()
        if self._soon:
            self._call_soon()

    def _call_soon(self) -> None:
        self._idle.start(self._call)
        if not self._latest.active:
            self._latest.again(self._call, update=True)  # the loop's own time may be old

    def _call(self) -> None:
        self._idle.stop()
        self._latest.stop()
        while self._soon:
            spawn(self._soon.popleft())


def _caught(function: Callable[..., T], arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    """Return what `function` returns, and what it raises: the pool would print that, however it is handled."""
    try:
        return function(*arguments), None
    except Exception as error:
        return None, error


class _GreenletEvent:
    """An event that a greenlet waits for and any thread sets."""

    __slots__ = ("_event", "_way")

    def __init__(self, way: GreenletsWay) -> None:
        self._way = way
        self._event = LocalEvent()

    def set(self) -> None:
        self._way.post(self._event)

    def wait(self, timeout: float | None = None) -> bool:
        return self._event.wait(timeout)
