import asyncio
from collections.abc import Coroutine

import pytest

from serving.gateway.access.fair_share import FairShare
from serving.gateway.errors import TooManyRequests


class Work:
    """Requests named by their client and a number, each of which holds its slot until it is told to end."""

    def __init__(self, share: FairShare) -> None:
        self._share = share
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.begun: list[str] = []

    async def ask(self, *names: str) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self._one(name)) for name in names]
        self._tasks += tasks
        await settled()
        return tasks

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
        await settled()

    async def _one(self, name: str) -> None:
        self._ends[name] = asyncio.Event()
        async with self._share.turn(name[0]):
            self.begun.append(name)
            await self._ends[name].wait()


async def settled() -> None:
    """Let every task run as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(work: Coroutine[None, None, None]) -> None:
    asyncio.run(work)


def test_clients_take_turns_and_keep_their_own_order() -> None:
    async def story() -> None:
        work = Work(FairShare(1, 1))
        await work.ask("a1", "a2", "a3", "b1", "b2", "c1")
        for at in range(6):
            await work.end(work.begun[at])
        assert work.begun == ["a1", "a2", "b1", "c1", "a3", "b2"]

    run(story())


def test_one_client_has_no_more_than_its_share() -> None:
    async def story() -> None:
        work = Work(FairShare(3, 2))
        await work.ask("a1", "a2", "a3", "b1")
        assert work.begun == ["a1", "a2", "b1"]
        await work.end("b1")
        assert work.begun == ["a1", "a2", "b1"]
        await work.end("a1")
        assert work.begun == ["a1", "a2", "b1", "a3"]

    run(story())


def test_a_request_that_is_given_up_keeps_no_slot() -> None:
    async def story() -> None:
        work = Work(FairShare(1, 1))
        _, waiting = await work.ask("a1", "a2")
        waiting.cancel()
        await work.ask("b1")
        await work.end("a1")
        assert work.begun == ["a1", "b1"]
        await work.end("b1")
        await work.ask("a3")
        assert work.begun == ["a1", "b1", "a3"]

    run(story())


def test_a_slot_that_came_with_the_end_of_its_request_is_given_on() -> None:
    async def story() -> None:
        work = Work(FairShare(1, 1))
        _, second = await work.ask("a1", "a2")
        work._ends["a1"].set()
        await asyncio.sleep(0)  # a1 ends, and its slot goes to a2
        second.cancel()
        await settled()
        await work.ask("b1")
        assert work.begun[-1] == "b1"

    run(story())


def test_waiting_ends_after_some_time() -> None:
    async def story() -> None:
        share = FairShare(1, 1)
        async with share.turn("a"):
            with pytest.raises(TimeoutError):
                async with share.turn("b", 0.01):
                    pass
        async with share.turn("b", 0.01):
            pass

    run(story())


def test_too_many_that_wait_are_refused() -> None:
    async def story() -> None:
        work = Work(FairShare(1, 1, most_waiting=2))
        await work.ask("a1", "a2", "a3")
        [refused] = await work.ask("a4")
        with pytest.raises(TooManyRequests, match="2 requests of this client wait already"):
            refused.result()
        await work.ask("b1")
        await work.end("a1")
        assert work.begun == ["a1", "a2"]

    run(story())


def test_those_that_gave_up_do_not_wait_any_more() -> None:
    async def story() -> None:
        work = Work(FairShare(1, 1, most_waiting=2))
        _, *waiting = await work.ask("b1", "a1", "a2")
        for each in waiting:
            each.cancel()
        await work.ask("a3", "a4")
        await work.end("b1")
        assert work.begun == ["b1", "a3"]

    run(story())
