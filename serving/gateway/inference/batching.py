"""Micro-batching: images that wait for the same answer of the same model travel in one Predict call.

Nobody waits for company: a request that finds no call under way is sent at once, and what comes while calls are under
way goes together with the next. Each request has its own deadline and its own error.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.gateway.errors import BadGateway, DeadlineExceeded, GatewayError
from serving.gateway.inference.tf_serving.client import Answer, ModelServer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.telemetry.metrics import Metrics
from serving.gateway.telemetry.tracing import Tracing
from serving.gateway.waits import Event, Waits

logger = logging.getLogger(__name__)

MOST_IMAGES = 256  # in one call, unless one request has more
CALLS = 2  # under way at once for one lane: while one is computed, the next is on its way


@dataclass(slots=True)
class Waiting:
    """One request's images, until when they may wait, and what came of it."""

    images: Images
    until: float  # on the monotonic clock
    answered: Event
    span: Any  # the request's, as `Tracing` has it
    outcome: Answer | Exception | None = None

    def end(self, outcome: Answer | Exception) -> None:
        """Tell the request what came of it."""
        self.outcome = outcome
        self.answered.set()


@dataclass(slots=True)
class Lane:
    """What may go into one call: the requests to one signature of one model."""

    model: str
    signature: str
    samples: int | None
    waiting: deque[Waiting] = field(default_factory=deque)
    calls: int = 0  # under way


class Batcher:
    """Asks a model server about the images of many requests at a time."""

    def __init__(self, server: ModelServer, waits: Waits, metrics: Metrics, tracing: Tracing, deadline: float) -> None:
        """Prepare to ask `server`; a request waits `deadline` seconds at most."""
        self._server = server
        self._waits = waits
        self._metrics = metrics
        self._tracing = tracing
        self._deadline = deadline
        self._lock = threading.Lock()
        self._lanes: dict[tuple[str, str, int | None], Lane] = {}
        self._queued = 0  # images in all lanes

    def predict(
        self, model: str, signature: str, images: Images, samples: int | None = None, timeout: float | None = None
    ) -> Answer:
        """Run `signature` of the newest version of `model` within `timeout` seconds, at most the deadline.

        Raise a GatewayError where there is no usable answer.
        """
        seconds = self._deadline if timeout is None else min(timeout, self._deadline)
        waiting = Waiting(images, time.monotonic() + seconds, self._waits.way.event(), self._tracing.current())
        self._submit((model, signature, samples), waiting)
        waiting.answered.wait(seconds)
        outcome = waiting.outcome
        if isinstance(outcome, Answer):
            return outcome
        if outcome is None:
            raise DeadlineExceeded(f"The model server did not answer within {self._deadline:g} s.")
        if isinstance(outcome, GatewayError):  # one of its own for each: raising writes to it
            raise type(outcome)(outcome.detail, outcome.faults) from outcome
        raise RuntimeError("asking the model server failed") from outcome

    def _submit(self, key: tuple[str, str, int | None], waiting: Waiting) -> None:
        with self._lock:
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = Lane(*key)
            lane.waiting.append(waiting)
            self._queued += waiting.images.count
            idle = lane.calls < CALLS
            lane.calls += idle
        if idle:
            self._waits.way.soon(self._work, lane)

    def _work(self, lane: Lane) -> None:
        """Ask about what waits in `lane`, and go on soon if more does; else there is one call less under way."""
        batch = self._take(lane)
        if not batch:
            return
        try:
            self._ask(lane, batch)
        except Exception as error:
            logger.exception("a batch failed")
            for waiting in batch:
                waiting.end(error)
        with self._lock:
            more = bool(lane.waiting)
            lane.calls -= not more
        if more:
            self._waits.way.soon(self._work, lane)

    def _take(self, lane: Lane) -> list[Waiting]:
        """Return what goes into the next call, without what has waited too long."""
        now = time.monotonic()
        batch: list[Waiting] = []
        count = 0
        with self._lock:
            while lane.waiting:
                if lane.waiting[0].until > now:
                    count += lane.waiting[0].images.count
                    if batch and count > MOST_IMAGES:
                        break
                    batch.append(lane.waiting[0])
                self._queued -= lane.waiting.popleft().images.count
            lane.calls -= not batch
            queued = self._queued
        self._metrics.queued(queued)
        return batch

    def _ask(self, lane: Lane, batch: Sequence[Waiting]) -> None:
        """Ask about a batch, and about each of its members alone where the model server finds fault with the whole."""
        timeout = max(waiting.until for waiting in batch) - time.monotonic()
        try:
            with self._tracing.call(lane.model, [waiting.span for waiting in batch]) as metadata:
                answer = self._server.predict(
                    lane.model,
                    lane.signature,
                    _together(batch),
                    lane.samples,
                    timeout=max(0.0, timeout),
                    metadata=metadata,
                )
            parts = _apart(answer, batch)
        except BadGateway as error:
            if len(batch) > 1:
                for waiting in batch:
                    self._ask(lane, [waiting])
            else:
                batch[0].end(error)
        except GatewayError as error:
            for waiting in batch:
                waiting.end(error)
        else:
            for waiting, part in zip(batch, parts, strict=True):
                waiting.end(part)


def _together(batch: Sequence[Waiting]) -> Images:
    first = batch[0].images
    if len(batch) == 1:
        return first
    pixels = b"".join(waiting.images.pixels for waiting in batch)
    return Images(pixels, sum(waiting.images.count for waiting in batch), first.height, first.width)


def _apart(answer: Answer, batch: Sequence[Waiting]) -> list[Answer]:
    """Return each member's rows of an answer; raise BadGateway if it has not as many as were asked about."""
    if len(batch) == 1:
        return [answer]
    count = sum(waiting.images.count for waiting in batch)
    if any(output.shape[:1] != (count,) for output in answer.outputs.values()):
        raise BadGateway("The model server's answer has not one row an image.")
    parts, start = [], 0
    for waiting in batch:
        rows = slice(start, start := start + waiting.images.count)
        parts.append(Answer(answer.version, {name: output[rows] for name, output in answer.outputs.items()}))
    return parts
