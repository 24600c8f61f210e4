"""Delete old rows in small transactions, between which others write. Counts, and labels of experiments, stay."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, exists, func, or_, select, true, update

from serving.gateway.store import events, images, kept, locks
from serving.gateway.store.store import Store
from serving.gateway.store.tables import (
    LABELLED,
    OUTSIDE,
    experiments,
    feedback,
    kept_images,
    state,
    unit_results,
    units,
)
from serving.gateway.store.tables import exposures as exposure_rows
from serving.gateway.store.tables import images as image_rows

BATCH = 500  # rows in a transaction: others wait some 40 ms for one, with millions of rows in SQLite
DAY_SECONDS = 24 * 3600
TURN_SECONDS = 55  # from one turn to the next, of all workers on a store together, which look once a minute
NOTICE_SECONDS = 3600  # from the notice about the first deletions in a store of an earlier release to these


class Quotas(NamedTuple):
    """How much to keep: rows of the last `days`, all of them where that is None, and at most so many of a kind.

    Images to learn from wait `waiting_hours` for a label; with one, any number stays where `most_kept` is 0.
    """

    days: float | None
    most_exposures: int
    most_labels: int
    most_kept: int = 0
    waiting_hours: float = 0

    @property
    def moment(self) -> float | None:
        """The time before which rows go, in seconds since 1970."""
        return None if self.days is None else time.time() - self.days * DAY_SECONDS

    @property
    def waiting_since(self) -> float:
        """The time before which images without a label go, in seconds since 1970."""
        return time.time() - self.waiting_hours * 3600


@dataclass(frozen=True)
class Kind:
    """Rows that may go: those of `table` that meet `condition`, the oldest first; `most` reads their largest number."""

    name: str
    table: Table
    condition: ColumnElement[bool]
    most: Callable[[Quotas], int]

    def before(self, connection: Connection, quotas: Quotas) -> float:
        """Return the time before which rows go."""
        at = self.table.c.at
        newest = select(at).where(self.condition).order_by(at.desc())
        kept = connection.execute(newest.offset(self.most(quotas) - 1).limit(1)).scalar()
        return max(kept or 0.0, quotas.moment or 0.0)

    def old(self, moment: float) -> ColumnElement[bool]:
        """Return the condition of the rows to delete."""
        return self.condition & (self.table.c.at < moment)


OF_KEPT = exists().where(kept_images.c.prediction == feedback.c.prediction)
KINDS = (
    Kind("exposures", exposure_rows, true(), lambda quotas: quotas.most_exposures),
    # A request may hold a thousand images, so their number has a bound of its own.
    Kind("images without a label", image_rows, ~LABELLED, lambda quotas: quotas.most_exposures),
    # A label of a kept image goes with that: an image without its label would hold the place of another.
    Kind("labels outside experiments", feedback, OUTSIDE & ~OF_KEPT, lambda quotas: quotas.most_labels),
)
OF_ARCHIVED = "rows about units of archived experiments"
KEPT = "images kept for learning"


def needs_notice(connection: Connection) -> bool:
    """Say whether a store holds rows, however old, about which there was neither a run nor a notice."""
    if _retained_at(connection) != 0:
        return False
    tables = [(kind.table, kind.condition) for kind in KINDS] + [
        (units, true()),
        (unit_results, true()),
        (kept_images, true()),
    ]
    return any(
        connection.execute(select(exists().select_from(table).where(condition))).scalar() for table, condition in tables
    )


def to_go(connection: Connection, quotas: Quotas) -> Counter[str]:
    """Return the numbers of rows that a run would delete now, by kind."""
    old = [(kind.name, kind.table, kind.old(kind.before(connection, quotas))) for kind in KINDS]
    counts = Counter[str]()
    for name, table, condition in [*old, *((OF_ARCHIVED, *each) for each in _of_archived(quotas))]:
        counts[name] += connection.execute(select(func.count()).select_from(table).where(condition)).scalar_one()
    counts[KEPT] = kept.count_to_go(connection, quotas.moment, quotas.waiting_since, quotas.most_kept)
    return +counts


def put_off_seconds(connection: Connection) -> float:
    """Return the seconds until the first run, 0 where that is not put off, or due within the next turn."""
    ahead = _retained_at(connection) - time.time()
    return ahead if TURN_SECONDS < ahead <= NOTICE_SECONDS else 0.0


def put_off(connection: Connection) -> bool:
    """Put off the first run by NOTICE_SECONDS; say whether this worker did, and not another."""
    later = update(state).where(state.c.retained_at == 0).values(retained_at=time.time() + NOTICE_SECONDS)
    return connection.execute(later).rowcount == 1


def take_turn(connection: Connection) -> bool:
    """Say whether this worker is the one that deletes now; a time far ahead is that of a clock that was wrong."""
    now = time.time()
    due = or_(state.c.retained_at <= now - TURN_SECONDS, state.c.retained_at > now + 2 * NOTICE_SECONDS)
    return connection.execute(update(state).where(due).values(retained_at=now)).rowcount == 1


def run(store: Store, quotas: Quotas, pause: Callable[[float], object]) -> Counter[str]:
    """Delete all that `quotas` do not keep; return the number of rows by kind.

    Call `pause` between transactions, with the seconds that the last one took; end early where it returns a true value.
    """
    deleted: Counter[str] = Counter()
    started = time.monotonic()
    for name, rows in _batches(store, quotas):
        deleted[name] += rows
        if pause(time.monotonic() - started):
            break
        started = time.monotonic()
    return deleted


def in_words(rows: Mapping[str, int]) -> str:
    """Return the numbers of deleted rows as text, such as `3 exposures and 1 images without a label`."""
    names = (*(kind.name for kind in KINDS), OF_ARCHIVED, KEPT)
    *first, last = (f"{rows[name]:,} {name}" for name in names if name in rows)
    return f"{', '.join(first)} and {last}" if first else last


def _batches(store: Store, quotas: Quotas) -> Iterator[tuple[str, int]]:
    with store.write(hurried=True) as connection:
        locks.own(connection, connection.execute(select(experiments.c.id)).scalars())
        images.forget_old_pixels(connection)
        images.forget_archived_pixels(connection)
        events.forget_old(connection)
    for kind in KINDS:
        if kind.table is feedback:
            yield from _kept(store, quotas)  # whose labels go in the same run then
        with store.read() as connection:
            old = kind.old(kind.before(connection, quotas))
        yield from _delete_all(store, kind.name, kind.table, old, kind.table.c.at)
    for table, old in _of_archived(quotas):
        yield from _delete_all(store, OF_ARCHIVED, table, old, table.c.experiment_id)


def _kept(store: Store, quotas: Quotas) -> Iterator[tuple[str, int]]:
    """Settle images that have waited long enough for a label, and delete those that are old or too many."""
    full = True
    while full:
        with store.write(hurried=True) as connection:
            settled = kept.settle_old(connection, quotas.waiting_since, BATCH)
            if quotas.most_kept:  # 0 is the default, of a command without the gateways' settings, too
                kept.bound_labelled(connection, quotas.most_kept)
        full = settled == BATCH
        yield KEPT, 0
    moment = quotas.moment
    full = moment is not None
    while moment is not None and full:
        with store.write(hurried=True) as connection:
            deleted = kept.delete_old(connection, moment, BATCH)
        full = deleted == BATCH
        if deleted:
            yield KEPT, deleted


def _of_archived(quotas: Quotas) -> list[tuple[Table, ColumnElement[bool]]]:
    """Return the tables with rows about units, and the conditions of those to delete."""
    if (moment := quotas.moment) is None:
        return []
    ended = func.coalesce(experiments.c.stopped_at, experiments.c.created_at) < moment
    archived = select(experiments.c.id).where(experiments.c.status == "archived", ended)
    return [(table, table.c.experiment_id.in_(archived)) for table in (units, unit_results)]


def _delete_all(
    store: Store, name: str, table: Table, condition: ColumnElement[bool], order: ColumnElement[Any]
) -> Iterator[tuple[str, int]]:
    """Delete the rows that meet a condition, at most BATCH at a time; yield the number of each batch."""
    key = list(table.primary_key)
    # No wait for rows that another transaction holds, which might wait for these: the next turn finds them.
    oldest = select(*key).where(condition).order_by(order).limit(BATCH).with_for_update(skip_locked=True, of=table)
    one = delete(table).where(*(column == bindparam(f"of_{column.name}") for column in key))
    full = True
    while full:
        with store.write(hurried=True) as connection:
            rows = [{f"of_{name}": value for name, value in row._mapping.items()} for row in connection.execute(oldest)]
            if rows:
                connection.execute(one, rows)
        full = len(rows) == BATCH
        yield name, len(rows)


def _retained_at(connection: Connection) -> float:
    return connection.execute(select(state.c.retained_at)).scalar_one()
