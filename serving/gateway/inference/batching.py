"""Micro-batching: images that wait for the same answer of the same model travel in one Predict call.

Send a request at once if a call is free; otherwise batch it with the next. Each request has its own deadline and its
own error.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from serving.gateway.errors import BadGateway, DeadlineExceeded, GatewayError
from serving.gateway.inference.tf_serving.client import Answer, ModelServer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)

MOST_IMAGES = 256  # in one call, unless one request has more
CALLS = 2  # under way at once for one lane: while one is computed, the next is on its way
BACKGROUND_CALLS = 1


class Target(NamedTuple):
    """The model, signature and samples of a call; background calls never delay others."""

    model: str
    signature: str
    samples: int | None = None
    background: bool = False


@dataclass(slots=True, eq=False)
class ModelCall:
    """One call to the model server: the requests that travel in it have one fate, and so are one case of a fault."""

    _carried: set[int] = field(default_factory=set)  # experiments
    _charged: set[int] = field(default_factory=set)  # experiments

    def carry(self, experiment: int) -> bool:
        """Count a request of an experiment; say whether it is the experiment's first in this call."""
        return _added(self._carried, experiment)

    def charge(self, experiment: int) -> bool:
        """Count a faulty request of an experiment; say whether it is the experiment's first in this call."""
        return _added(self._charged, experiment)


@dataclass(slots=True, eq=False)
class Ask:
    """One request's images, the moment until which they may wait, and the outcome once `done` is called.

    `call` is the last call to the model server in which they travelled, None while they wait, and where a circuit
    breaker refused the call.
    """

    images: Images
    until: float  # on the monotonic clock
    span: Any  # the request's, as `Tracing` has it
    done: Callable[["Ask"], None]
    outcome: Answer | Exception | None = None
    call: ModelCall | None = None

    def end(self, outcome: Answer | Exception) -> None:
        """Tell the request its outcome; the first counts."""
        if self.outcome is None:
            self.outcome = outcome
            self.done(self)


@dataclass(slots=True)
class Lane:
    """Requests to one target, and how many calls are under way for them."""

    target: Target
    waiting: deque[Ask] = field(default_factory=deque)
    calls: int = 0


class Batcher:
    """Asks a model server about the images of many requests at a time; its owner is one event loop."""

    def __init__(self, server: ModelServer, tracing: Tracing, deadline: float) -> None:
        """Prepare to ask `server`; a request waits `deadline` seconds at most."""
        self._server = server
        self._tracing = tracing
        self._deadline = deadline
        self._lanes: dict[Target, Lane] = {}
        self._open: set[Ask] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._watched_until = math.inf  # on the monotonic clock
        self.queued = 0  # images in all lanes

    async def predict(self, target: Target, images: Images, timeout: float | None = None, span: Any = None) -> Answer:
        """Ask `target` about `images` within `timeout` seconds, at most the deadline; raise a GatewayError."""
        return outcome_of(await self.ask(target, images, timeout, span))

    async def ask(self, target: Target, images: Images, timeout: float | None = None, span: Any = None) -> Ask:
        """Ask `target` about `images` within `timeout` seconds, at most the deadline; return how it ended."""
        answered = asyncio.get_running_loop().create_future()
        seconds = self._deadline if timeout is None else min(timeout, self._deadline)
        ask = Ask(images, time.monotonic() + seconds, span, lambda _: _settle(answered))
        self.submit(target, ask)
        await answered
        return ask

    def submit(self, target: Target, ask: Ask) -> None:
        """Have `ask` answered soon: `ask.done` is called with its outcome, in the event loop."""
        lane = self._lanes.get(target)
        if lane is None:
            lane = self._lanes[target] = Lane(target)
        lane.waiting.append(ask)
        self._open.add(ask)
        self.queued += ask.images.count
        loop = asyncio.get_running_loop()
        if ask.until < self._watched_until:
            self._watch_until(ask.until)
        if lane.calls < (BACKGROUND_CALLS if target.background else CALLS):
            lane.calls += 1
            call = loop.create_task(self._work(lane))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    def _end_overdue(self) -> None:
        """End the requests whose time is over, and look again when the next one's is."""
        now = time.monotonic()
        for ask in [ask for ask in self._open if ask.until <= now]:
            self._end(ask, DeadlineExceeded(f"The model server did not answer within {self._deadline:g} s."))
        self._watched_until = math.inf
        if self._open:
            self._watch_until(min(ask.until for ask in self._open))

    def _watch_until(self, moment: float) -> None:
        """Look for overdue requests at `moment`, on the monotonic clock."""
        if self._watch:
            self._watch.cancel()
        self._watched_until = moment
        seconds = max(0.0, moment - time.monotonic())
        self._watch = asyncio.get_running_loop().call_later(seconds, self._end_overdue)

    def _end(self, ask: Ask, outcome: Answer | Exception) -> None:
        self._open.discard(ask)
        ask.end(outcome)

    async def _work(self, lane: Lane) -> None:
        """Make calls for a lane until nothing waits in it."""
        try:
            while batch := self._take(lane):
                await self._call(lane.target, batch)
        finally:
            lane.calls -= 1

    def _take(self, lane: Lane) -> list[Ask]:
        """Return the requests of the next call, without those whose time is over."""
        batch: list[Ask] = []
        count = 0
        while lane.waiting:
            ask = lane.waiting[0]
            if ask.outcome is None:
                count += ask.images.count
                if batch and count > MOST_IMAGES:
                    break
                batch.append(ask)
            lane.waiting.popleft()
            self.queued -= ask.images.count
        return batch

    async def _call(self, target: Target, batch: Sequence[Ask]) -> None:
        """Ask about a batch, and about each member alone where the model server finds fault with the whole."""
        timeout, call = max(0.0, max(ask.until for ask in batch) - time.monotonic()), ModelCall()
        for ask in batch:
            ask.call = call
        try:
            with self._tracing.call(target.model, [ask.span for ask in batch]) as metadata:
                answer = await self._server.predict(
                    target.model, target.signature, _together(batch), target.samples, timeout, metadata
                )
            parts = _apart(answer, batch)
        except BadGateway as error:
            if len(batch) > 1:
                for ask in batch:
                    await self._call(target, [ask])
            else:
                self._end(batch[0], error)
        except GatewayError as error:
            for ask in batch:  # an error of its own for each: raising writes to it
                ask.call = call if error.called else None
                self._end(ask, type(error)(error.detail, error.faults))
        except Exception as error:
            logger.exception("a batch failed")
            for ask in batch:
                self._end(ask, error)
        else:
            for ask, part in zip(batch, parts, strict=True):
                self._end(ask, part)


def outcome_of(ask: Ask) -> Answer:
    """Return the answer to `ask`, which has ended; raise its error."""
    if isinstance(ask.outcome, Answer):
        return ask.outcome
    assert ask.outcome is not None
    raise ask.outcome


def _added(to: set[int], one: int) -> bool:
    """Add `one`; say whether it is new."""
    before = len(to)
    to.add(one)
    return len(to) > before


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():  # its owner may have gone
        future.set_result(None)


def _together(batch: Sequence[Ask]) -> Images:
    first = batch[0].images
    if len(batch) == 1:
        return first
    pixels = b"".join([ask.images.pixels for ask in batch])
    return Images(pixels, sum(ask.images.count for ask in batch), first.height, first.width)


def _apart(answer: Answer, batch: Sequence[Ask]) -> list[Answer]:
    """Return each member's rows of an answer; raise BadGateway if it has not as many rows as there are images."""
    if len(batch) == 1:
        return [answer]
    count = sum(ask.images.count for ask in batch)
    if any(output.shape[:1] != (count,) for output in answer.outputs.values()):
        raise BadGateway("The model server's answer has not one row an image.")
    parts, start = [], 0
    for ask in batch:
        parts.append(answer.rows(slice(start, start := start + ask.images.count)))
    return parts
