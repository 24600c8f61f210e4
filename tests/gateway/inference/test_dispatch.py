"""Requests that have to be looked up wait for a look that began after they came, and nothing else waits for them."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from serving.gateway.errors import NotFound
from serving.gateway.imaging.decoders import Decoders
from serving.gateway.imaging.uploads import LIGHT, Effort
from serving.gateway.inference.batching import Batcher
from serving.gateway.inference.dispatch import Dispatch, Later
from serving.gateway.inference.fallback import PendingPrediction
from serving.gateway.server.event_loop import EventLoop
from testing.waiting import PATIENCE, eventually


class Lookups:
    """Prepares requests for what they are called: `new...` is looked up, which a test may hold up, `old` is not."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.go_on = threading.Event()

    def prepare(
        self, requests: Sequence[str], later: Later | None, effort: Effort
    ) -> Sequence[PendingPrediction | Exception | Later]:
        if "stops" in requests:
            return [StopIteration()]
        if later is None:
            return [Later.UNSETTLED if name.startswith("new") else NotFound(name) for name in requests]
        if later is Later.HEAVY:
            assert threading.current_thread().name.startswith("decoder")
            return [NotFound(name) for name in requests]
        assert (later, effort) == (Later.UNSETTLED, LIGHT)
        assert threading.current_thread().name.startswith("lookup")
        self.batches.append(list(requests))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.go_on.wait(PATIENCE)
        self.at_once -= 1
        return [Later.HEAVY if name.endswith("heavy") else NotFound(name) for name in requests]


class Asker:
    """A Dispatch on the loop of a thread, whose every request ends in an error that names it."""

    def __init__(self, lookups: Lookups) -> None:
        self._loop = EventLoop()
        nobody: Any = None
        batcher: Batcher = nobody
        self._dispatch: Dispatch[str, Any, Any] = Dispatch(
            batcher, Decoders(PATIENCE), lambda name: name, lookups.prepare, lambda predictions: []
        )
        self.ended: list[str] = []

    def ask(self, *names: str) -> None:
        """Send requests, and do not wait for them."""

        async def send() -> None:
            for name in names:
                asyncio.get_running_loop().create_task(self._answer(name))

        self._loop.run(send())

    async def _answer(self, name: str) -> None:
        with pytest.raises((NotFound, RuntimeError)) as caught:
            await self._dispatch.answer(name)
        self.ended.append(caught.value.detail if isinstance(caught.value, NotFound) else str(caught.value))

    def close(self) -> None:
        self._dispatch.close()
        self._loop.close()


@pytest.fixture
def lookups() -> Lookups:
    return Lookups()


@pytest.fixture
def asker(lookups: Lookups) -> Iterator[Asker]:
    made = Asker(lookups)
    yield made
    lookups.go_on.set()
    made.close()


def test_what_waits_for_a_look_holds_nobody_up(asker: Asker) -> None:
    asker.ask("new")
    asker.ask("old")
    eventually(lambda: asker.ended == ["old"])


def test_one_look_at_a_time_serves_all_that_came_before_it_began(asker: Asker, lookups: Lookups) -> None:
    asker.ask("new 1", "new 2")
    eventually(lambda: lookups.batches == [["new 1", "new 2"]])
    asker.ask("new 3")
    asker.ask("new 4")
    asker.ask("old")
    eventually(lambda: asker.ended == ["old"])
    assert lookups.batches == [["new 1", "new 2"]]  # the look under way may be too old for the later ones
    lookups.go_on.set()
    eventually(lambda: sorted(asker.ended) == ["new 1", "new 2", "new 3", "new 4", "old"])
    assert lookups.batches == [["new 1", "new 2"], ["new 3", "new 4"]]
    assert lookups.most_at_once == 1


def test_a_heavy_request_that_was_looked_up_is_decoded_elsewhere(asker: Asker, lookups: Lookups) -> None:
    asker.ask("new and heavy")
    lookups.go_on.set()
    eventually(lambda: asker.ended == ["new and heavy"], "the answer")


def test_an_exception_that_no_future_takes_is_answered_too(asker: Asker) -> None:
    asker.ask("stops")
    eventually(lambda: asker.ended == ["StopIteration()"], "the answer")


@pytest.mark.parametrize("name", ["new", "new and heavy"])
def test_a_thread_that_cannot_start_leaves_no_request_without_an_answer(
    asker: Asker, lookups: Lookups, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    lookups.go_on.set()
    if name == "new":
        monkeypatch.setattr(asyncio.BaseEventLoop, "run_in_executor", fails)
    else:
        monkeypatch.setattr(Decoders, "run", fails)
    asker.ask(name)
    eventually(lambda: asker.ended == ["can't start new thread"], "the answer")
    monkeypatch.undo()
    asker.ask("new")
    eventually(lambda: asker.ended[1:] == ["new"], "the next answer")
