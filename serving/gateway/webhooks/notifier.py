"""Deliver events: a thread of each worker, one of which holds the lease."""

import logging
import random
import secrets
import threading
import time
from collections.abc import Callable
from typing import Protocol

import orjson
from sqlalchemy import Row

from serving.gateway import moments
from serving.gateway.errors import GatewayError
from serving.gateway.experiments.background import Background
from serving.gateway.store import events, lease
from serving.gateway.store.days import DAY_SECONDS
from serving.gateway.store.store import Store
from serving.gateway.webhooks.queues import QueueWatch

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 600.0  # between two attempts; doubled from one to the next
MOST_DOUBLINGS = 16  # far beyond the longest pause


class NotDelivered(Exception):
    """A message that the receiver has not taken; the text says why, without address or secret."""


class Taker(Protocol):
    """Takes messages; raises NotDelivered where it does not."""

    def deliver(self, message: str, body: bytes) -> None:
        """Take a message."""


class Notifier:
    """Delivers the events of a store to a receiver, from `start` to `close`; does nothing without a receiver."""

    def __init__(
        self,
        store: Store,
        receiver: Taker | None,
        queues: QueueWatch,
        count: Callable[[str], None] = lambda outcome: None,
        *,
        clock: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Prepare; call `count` with the outcome of each attempt. `clock` is in seconds since 1970."""
        self._store, self._receiver, self._queues, self._count = store, receiver, queues, count
        self._clock, self._draw = clock, draw
        self._name = secrets.token_hex(8)
        self._thread = Background("webhooks", self._run)
        self._ending = threading.Event()

    @property
    def delivers(self) -> bool:
        """Whether there is a receiver."""
        return self._receiver is not None

    def start(self) -> None:
        """Start the thread, once."""
        if self.delivers:
            self._thread.start()

    def close(self) -> None:
        """Stop after the delivery under way, and let another worker go on."""
        self._ending.set()
        self._thread.join()

    def turn(self) -> bool:
        """Attempt each event that is due, if this worker has the lease; say whether another turn is due at once."""
        if not self._leads():
            return False
        self._queues.look(self._clock())
        self._give_up()
        with self._store.read() as connection:
            due = events.due(connection, self._clock())
        taken = 0
        for event in due:
            if self._ending.is_set() or not self._leads():
                break
            taken += self._attempt(event)
        return taken > 0

    def _leads(self) -> bool:
        """Say whether the lease is this worker's, for half of its time at least."""
        now = self._clock()
        with self._store.read() as connection:
            held = lease.holder(connection)
        mine = held.lease_holder == self._name
        if mine and now + lease.LEASE_SECONDS / 2 <= held.lease_until <= now + 2 * lease.LEASE_SECONDS:
            return True
        if not mine and not lease.is_free(held, now):
            return False
        with self._store.write() as connection:
            return lease.take(connection, self._name, now)

    def _attempt(self, event: Row) -> bool:
        """Deliver an event, or put it off; say whether the receiver took it."""
        assert self._receiver is not None
        try:
            self._receiver.deliver(event.message, body_of(event))
        except Exception as error:
            if not isinstance(error, NotDelivered):
                logger.exception("delivering webhook %s failed", event.message)
            self._count("failed")
            if event.attempts == 0:
                logger.warning("webhook %s (%s) was not delivered and is tried again: %s",
                               event.message, event.type, error)  # fmt: skip
            with self._store.write() as connection:
                events.put_off(connection, event.id, str(error), self._clock() + self._pause(event.attempts))
            return False
        self._count("delivered")
        with self._store.write() as connection:
            events.delivered(connection, event.id)
        return True

    def _pause(self, attempts: int) -> float:
        """Return the seconds until the next attempt: twice as many each time, less up to half of them by chance."""
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(attempts, MOST_DOUBLINGS))
        return longest * (1 + self._draw()) / 2

    def _give_up(self) -> None:
        before = self._clock() - DAY_SECONDS
        with self._store.read() as connection:
            _, oldest = events.waiting(connection)
        if oldest is None or oldest >= before:
            return
        with self._store.write() as connection:
            given_up = events.give_up(connection, before)
        tried = {event.stream for event in given_up if event.attempts}
        untried = [event.message for event in given_up if event.stream not in tried]  # nobody was there to take them
        for event in given_up:
            if event.stream in tried:
                self._count("given_up")
                logger.error("webhook %s (%s) is given up after a day: %s", event.message, event.type, event.error)
        if untried:
            logger.warning("webhooks %s were never tried, and are too old to deliver", ", ".join(untried))

    def _run(self) -> None:
        while not self._ending.is_set():
            again = False
            try:
                again = self.turn()
            except GatewayError:
                pass  # the store has logged it
            except Exception:
                logger.exception("delivering webhooks failed")
            if not again:
                self._ending.wait(POLL_SECONDS)
        try:
            with self._store.write() as connection:
                lease.release(connection, self._name)
        except GatewayError:
            pass  # it runs out


def body_of(event: Row) -> bytes:
    """Return the body of an event's message, the same at each attempt."""
    return orjson.dumps({"type": event.type, "timestamp": moments.written(event.at), "data": event.data})
