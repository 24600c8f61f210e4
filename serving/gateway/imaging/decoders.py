"""Threads that decode images, shared among clients; large images have a thread of their own."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

from serving.gateway.access.fair_share import MOST_WAITING, FairShare
from serving.gateway.errors import NotDecoded
from serving.gateway.imaging.uploads import FULL, MEDIUM, Effort, Heavy, late

T = TypeVar("T")
THREADS = 2  # for images that are not large
NICENESS = 1  # of the threads: the event loop, on which all else waits, goes first; with 5, a busy machine starves them


class DecoderThreads:
    """Some threads, one at most for each client, and the most that they are asked to do for one request."""

    def __init__(self, threads: int, effort: Effort, name: str, refused: Callable[[], None], most_waiting: int) -> None:
        self.effort = effort
        self.share = FairShare(threads, 1, refused, most_waiting)
        self.threads = ThreadPoolExecutor(threads, name, _give_way)


class Decoders:
    """Runs the decoding of requests, client by client, each within `seconds`; its owner is one event loop."""

    def __init__(
        self, seconds: float, refused: Callable[[str], None] = lambda reason: None, most_waiting: int = MOST_WAITING
    ) -> None:
        """Prepare; `refused` is told why a request is not decoded: decode_seconds or waiting.

        At most `most_waiting` requests of one client wait for each kind of thread.
        """
        self._seconds = seconds
        self._refused = refused
        wait = partial(refused, "waiting")
        self._stages = (
            DecoderThreads(THREADS, MEDIUM, "decoder", wait, most_waiting),
            DecoderThreads(1, FULL, "large decoder", wait, most_waiting),
        )

    async def run(self, client: str, work: Callable[[Effort], T]) -> T:
        """Return the result of `work`, which raises Heavy where it needs more than its effort.

        Raise Unavailable where it is not done in time, TooManyRequests where too much of the client's waits already.
        """
        until = time.monotonic() + self._seconds
        for stage in self._stages:
            try:
                return await self._in(stage, client, work, until)
            except Heavy:
                continue
            except NotDecoded:
                self._refused("decode_seconds")
                raise
        raise AssertionError("the last stage takes all work")

    def close(self) -> None:
        """End the threads."""
        for stage in self._stages:
            stage.threads.shutdown()

    async def _in(self, stage: DecoderThreads, client: str, work: Callable[[Effort], T], until: float) -> T:
        turn = stage.share.turn(client, until - time.monotonic())
        try:
            async with turn:
                effort = stage.effort._replace(until=until)
                return await asyncio.get_running_loop().run_in_executor(stage.threads, work, effort)
        except TimeoutError:
            raise late() from None


def _give_way() -> None:
    """Lower the priority of this thread; only Linux has priorities of threads."""
    if sys.platform == "linux":
        with suppress(PermissionError):  # where a sandbox forbids it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
