"""Keep events, in the transactions that make them true, until a receiver has them."""

import secrets
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, select, update

from serving.gateway.store.days import DAY_SECONDS
from serving.gateway.store.store import insert
from serving.gateway.store.tables import WAITS, events, experiments

KEPT_DAYS = 7  # of events that nobody waits for any more
WAITING, DELIVERED, GIVEN_UP = "waiting", "delivered", "given_up"
QUEUE_OLD = "experiment.queue_old"  # told once a day
OF_DEFAULT = ""  # the stream of changes of the default variant by hand
MESSAGE_BYTES = 12


def add(connection: Connection, type: str, stream: str, data: dict[str, Any], *, once: str | None = None) -> None:
    """Keep an event of a stream, whose events are delivered in order; only the first one with the same `once`."""
    row = {
        "message": f"evt_{secrets.token_hex(MESSAGE_BYTES)}", "once": once, "type": type, "stream": stream,
        "data": data, "at": time.time(), "state": WAITING, "attempts": 0, "next_at": 0.0,
    }  # fmt: skip
    connection.execute(insert(connection.dialect.name, events).values(row).on_conflict_do_nothing())


def known(connection: Connection, once: str) -> bool:
    """Say whether there is an event with this `once`."""
    return bool(connection.execute(select(exists().where(events.c.once == once))).scalar())


def due(connection: Connection, now: float) -> Sequence[Row]:
    """Return the first waiting event of each stream, where it is due: later ones wait for it."""
    first = select(func.min(events.c.id)).where(WAITS).group_by(events.c.stream)
    return connection.execute(select(events).where(events.c.id.in_(first), events.c.next_at <= now)).all()


def delivered(connection: Connection, event: int) -> None:
    """Note that the receiver has taken an event."""
    taken = {"state": DELIVERED, "attempts": events.c.attempts + 1, "error": None, "ended_at": time.time()}
    connection.execute(update(events).where(events.c.id == event, WAITS).values(taken))


def put_off(connection: Connection, event: int, error: str, next_at: float) -> None:
    """Note that the receiver has not taken an event, and when to try again."""
    failed = {"attempts": events.c.attempts + 1, "error": error, "next_at": next_at}
    connection.execute(update(events).where(events.c.id == event, WAITS).values(failed))


def give_up(connection: Connection, before: float) -> Sequence[Row]:
    """Give up the events that wait since before a time; return them."""
    old = update(events).where(WAITS, events.c.at < before).values(state=GIVEN_UP, ended_at=time.time())
    columns = (events.c.message, events.c.type, events.c.stream, events.c.attempts, events.c.error)
    return connection.execute(old.returning(*columns)).all()


def waiting(connection: Connection) -> tuple[int, float | None]:
    """Return how many events wait, and since when the oldest one does."""
    number, oldest = connection.execute(select(func.count(), func.min(events.c.at)).where(WAITS)).one()
    return number, oldest


def latest(connection: Connection, most: int) -> Sequence[Row]:
    """Return the last events of KEPT_DAYS, the newest first."""
    query = select(events).where(events.c.at >= _week_ago())
    return connection.execute(query.order_by(events.c.id.desc()).limit(most)).all()


def forget_old(connection: Connection) -> None:
    """Delete events after KEPT_DAYS, delivered or not; one told once a phase stays until its experiment is archived."""
    active = exists().where(experiments.c.name == events.c.stream, experiments.c.status != "archived")
    lasting = events.c.once.is_not(None) & (events.c.type != QUEUE_OLD) & active
    connection.execute(delete(events).where(events.c.at < _week_ago(), ~lasting))


def _week_ago() -> float:
    return time.time() - KEPT_DAYS * DAY_SECONDS
