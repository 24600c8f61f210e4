"""Threads that decode images, shared among clients; large images have a thread of their own."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.gateway.access.fair_share import FairShare
from serving.gateway.imaging.uploads import FULL, MEDIUM, Effort, Heavy, late

T = TypeVar("T")
THREADS = 2  # for images that are not large


class Lane:
    """Some threads, and the most that they are asked to do for one request."""

    def __init__(self, threads: int, effort: Effort, name: str) -> None:
        self.effort = effort
        self.share = FairShare(threads, threads)
        self.threads = ThreadPoolExecutor(threads, name)


class Decoders:
    """Runs the decoding of requests, client by client, each within `seconds`; its owner is one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lanes = (Lane(THREADS, MEDIUM, "decoder"), Lane(1, FULL, "large decoder"))

    async def run(self, client: str, work: Callable[[Effort], T]) -> T:
        """Return the result of `work`, which raises Heavy where it needs more than its effort.

        Raise Unavailable where it is not done in time, TooManyRequests where too much of the client's waits already.
        """
        until = time.monotonic() + self._seconds
        for lane in self._lanes:
            try:
                return await self._in(lane, client, work, until)
            except Heavy:
                continue
        raise AssertionError("the last lane takes all work")

    def close(self) -> None:
        """End the threads."""
        for lane in self._lanes:
            lane.threads.shutdown()

    async def _in(self, lane: Lane, client: str, work: Callable[[Effort], T], until: float) -> T:
        turn = lane.share.turn(client, until - time.monotonic())
        try:
            async with turn:
                effort = lane.effort._replace(until=until)
                return await asyncio.get_running_loop().run_in_executor(lane.threads, work, effort)
        except TimeoutError:
            raise late() from None
