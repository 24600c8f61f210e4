"""Work on the requests of an event loop batch by batch: prepare, ask, compose.

Each stage runs for all requests that have come to it in one turn of the loop, so that its code and data stay in the
processor's caches.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from serving.gateway.errors import GatewayError, Unavailable
from serving.gateway.imaging.decoders import Decoders
from serving.gateway.imaging.uploads import LIGHT, Effort, Heavy
from serving.gateway.inference.batching import Ask, Batcher, ModelCall, Target
from serving.gateway.inference.fallback import Attempt, PendingPrediction
from serving.gateway.inference.prediction import check, signature_of
from serving.gateway.inference.tf_serving.client import Answer

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.005  # at most, while more requests come in each turn of the loop


class Later(Enum):
    """Marks a request whose preparation takes long, and says why: a thread prepares it."""

    HEAVY = "heavy"  # its images take time to decode
    UNSETTLED = "unsettled"  # who answers it has to be looked up


Request = TypeVar("Request")
Reply = TypeVar("Reply")
P = TypeVar("P", bound=PendingPrediction)


class Arrival(NamedTuple, Generic[Request, Reply]):
    """A request and the future of its reply."""

    request: Request
    reply: asyncio.Future[Reply]


class Dispatch(Generic[Request, P, Reply]):
    """Answers predictions by batches; its owner is one event loop."""

    def __init__(
        self,
        batcher: Batcher,
        decoders: Decoders,
        client: Callable[[Request], str],
        prepare: Callable[[Sequence[Request], Later | None, Effort], Sequence[P | Exception | Later]],
        compose: Callable[[Sequence[P]], Sequence[Reply | Exception]],
    ) -> None:
        """Prepare to ask by `batcher`, and to decode heavy images by `decoders`, shared by `client`.

        `prepare` turns requests into predictions or errors. Its second argument is None in the event loop; in a thread
        it is the reason for that. It answers `Later` for work beyond its place or its effort. `compose` turns
        predictions that have their answers into replies.
        """
        self._batcher = batcher
        self._decoders = decoders
        self._client = client
        self._prepare = prepare
        self._compose = compose
        self._decoding: set[asyncio.Task[None]] = set()
        self._lookup = ThreadPoolExecutor(1, "lookup")
        self._looking_up = False
        self._unsettled: list[Arrival[Request, Reply]] = []
        self._arrived: list[Arrival[Request, Reply]] = []
        self._answered: list[P] = []
        self._replies: dict[P, asyncio.Future[Reply]] = {}

    async def answer(self, request: Request) -> Reply:
        """Return the reply to one request; raise its error."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Reply] = loop.create_future()
        self._arrived.append(Arrival(request, reply))
        if len(self._arrived) == 1:
            loop.call_soon(self._wait_for_arrivals, 1, time.monotonic() + GATHER_SECONDS)
        try:
            return await reply
        finally:
            del reply  # an error's traceback holds this frame: it would hold the error, and both the request's body

    def close(self) -> None:
        """End the threads."""
        self._lookup.shutdown()

    def _wait_for_arrivals(self, seen: int, until: float) -> None:
        """Wait until a turn of the loop brings no more requests, then prepare the batch."""
        if len(self._arrived) > seen and time.monotonic() < until:
            asyncio.get_running_loop().call_soon(self._wait_for_arrivals, len(self._arrived), until)
        else:
            self._prepare_arrived()

    def _prepare_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        self._begin_all(arrived, self._prepared([each.request for each in arrived], None, LIGHT))
        self._look_up()

    def _prepared(
        self, requests: Sequence[Request], later: Later | None, effort: Effort
    ) -> Sequence[P | Exception | Later]:
        try:
            return self._prepare(requests, later, effort)
        except Exception as error:  # no request stays without an answer
            logger.exception("requests could not be prepared")
            return [error] * len(requests)

    def _look_up(self) -> None:
        """Prepare the unsettled requests together; those that come meanwhile wait for the next time."""
        if not self._looking_up and self._unsettled:
            self._looking_up = True
            arrivals, self._unsettled = self._unsettled, []
            requests = [each.request for each in arrivals]
            loop = asyncio.get_running_loop()
            try:
                work = loop.run_in_executor(self._lookup, self._prepared, requests, Later.UNSETTLED, LIGHT)
            except RuntimeError as error:  # its thread cannot start
                logger.exception("requests could not be prepared")
                self._looked_up(arrivals, [error] * len(arrivals))
                return
            work.add_done_callback(lambda done: self._looked_up(arrivals, done.result()))

    def _looked_up(
        self, arrivals: Sequence[Arrival[Request, Reply]], prepared: Sequence[P | Exception | Later]
    ) -> None:
        self._looking_up = False
        self._begin_all(arrivals, prepared)
        self._look_up()

    def _decode(self, arrival: Arrival[Request, Reply]) -> None:
        """Prepare a heavy request when its client's turn comes."""
        task = asyncio.get_running_loop().create_task(self._decoded(arrival))
        self._decoding.add(task)
        task.add_done_callback(self._decoding.discard)

    async def _decoded(self, arrival: Arrival[Request, Reply]) -> None:
        def work(effort: Effort) -> P | Exception | Later:
            [prepared] = self._prepared([arrival.request], Later.HEAVY, effort)
            if prepared is Later.HEAVY:
                raise Heavy
            return prepared

        try:
            self._begin(arrival, await self._decoders.run(self._client(arrival.request), work))
        except GatewayError as error:
            self._begin(arrival, error.bare())
        except Exception as error:  # such as a thread that cannot start
            logger.exception("a request could not be decoded")
            self._begin(arrival, error)

    def _begin_all(
        self, arrivals: Sequence[Arrival[Request, Reply]], prepared: Sequence[P | Exception | Later]
    ) -> None:
        for arrival, each in zip(arrivals, prepared, strict=True):
            self._begin(arrival, each)

    def _begin(self, arrival: Arrival[Request, Reply], prepared: P | Exception | Later) -> None:
        if isinstance(prepared, PendingPrediction):
            self._replies[prepared] = arrival.reply
            self._ask_next(prepared)
        elif prepared is Later.HEAVY:
            self._decode(arrival)
        elif prepared is Later.UNSETTLED:
            self._unsettled.append(arrival)
        else:
            assert isinstance(prepared, Exception)
            _settle(arrival.reply, prepared)

    def _ask_next(self, prediction: P) -> None:
        """Ask the variant whose turn it is."""
        variant = prediction.turn
        assert variant is not None
        published = prediction.manifest.variant(variant)
        if published is None:
            self._attempted(prediction, variant, 0.0, Unavailable(f"Variant {variant!r} is not published."), None)
            return
        started = time.perf_counter()

        def done(ask: Ask) -> None:
            milliseconds = 1000 * (time.perf_counter() - started)
            self._attempted(prediction, variant, milliseconds, ask.outcome, ask.call)

        target = Target(variant, signature_of(published, prediction.signature), prediction.samples)
        self._batcher.submit(target, Ask(prediction.images, prediction.until, prediction.span, done))

    def _attempted(
        self, prediction: P, variant: str, milliseconds: float, outcome: Answer | Exception | None,
        call: ModelCall | None,
    ) -> None:  # fmt: skip
        """Note how a variant's turn went; give the turn to the next one where it failed."""
        if isinstance(outcome, Answer):
            try:
                check(outcome, prediction.manifest, variant, prediction.images.count, prediction.signature)
            except GatewayError as error:
                outcome = error
        if not isinstance(outcome, Answer | GatewayError):
            assert isinstance(outcome, Exception)
            _settle(self._replies.pop(prediction), outcome)
            return
        prediction.attempts.append(Attempt(variant, milliseconds, outcome, call))
        if isinstance(outcome, GatewayError) and prediction.turn is not None:
            self._ask_next(prediction)
            return
        self._answered.append(prediction)
        if len(self._answered) == 1:
            asyncio.get_running_loop().call_soon(self._compose_answered)

    def _compose_answered(self) -> None:
        answered, self._answered = self._answered, []
        for prediction, reply in zip(answered, self._composed(answered), strict=True):
            _settle(self._replies.pop(prediction), reply)

    def _composed(self, answered: Sequence[P]) -> Sequence[Reply | Exception]:
        try:
            return self._compose(answered)
        except Exception as error:
            logger.exception("replies could not be composed")
            return [error] * len(answered)


def _settle(future: asyncio.Future[Reply], outcome: Reply | Exception) -> None:
    if future.done():  # its request was given up
        return
    if isinstance(outcome, StopIteration):  # which a future refuses
        outcome = RuntimeError(repr(outcome))
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
