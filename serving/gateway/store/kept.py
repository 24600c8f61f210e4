"""Keep images to learn from: those that wait for a label, and those that have one.

An image waits where it has a draw. Once its time is over, or others need its place, it is settled: one with a label
loses its draw and stays, one without goes. So a label needs no look at this table.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Subquery,
    case,
    delete,
    exists,
    false,
    func,
    select,
    true,
    update,
)

from serving.gateway.store.sources import RANK
from serving.gateway.store.store import insert
from serving.gateway.store.tables import WAITING, feedback
from serving.gateway.store.tables import kept_images as kept

IN_FORCE = 1
HAS_LABEL = exists().where(feedback.c.prediction == kept.c.prediction)
MOST_AT_ONCE = 10_000  # images that are deleted: PostgreSQL takes 65,535 parameters in a statement


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An answered image; `unit` and `image` are keyed hashes, and of those that wait the smallest draws stay."""

    prediction: str
    unit: int
    image: int
    predicted: str
    variant: str
    version: int
    draw: int
    pixels: bytes
    at: float


def write(connection: Connection, given: Sequence[KeptImage], most: int) -> int | None:
    """Keep images, at most `most` of each kind; return the largest draw that waits where that many do.

    Where `most` has been lowered, each call deletes MOST_AT_ONCE of a kind.
    """
    if given:
        connection.execute(
            insert(connection.dialect.name, kept).on_conflict_do_nothing(), [asdict(image) for image in given]
        )
    waiting = _count(connection, WAITING)
    if waiting > most:
        _settle(connection, WAITING, kept.c.draw.desc(), min(waiting - most, MOST_AT_ONCE))
        bound_labelled(connection, most)
    return _largest(connection) if waiting >= most else None


def largest_waiting(connection: Connection, most: int) -> int | None:
    """Return the largest draw that waits, where `most` images or more do."""
    return _largest(connection) if _count(connection, WAITING) >= most else None


def settle_old(connection: Connection, moment: float, limit: int) -> int:
    """Settle images that have waited since before `moment`, at most `limit`; return how many."""
    return _settle(connection, WAITING & (kept.c.at < moment), kept.c.at, limit)


def bound_labelled(connection: Connection, most: int) -> None:
    """Delete the oldest labelled images above `most`, at most MOST_AT_ONCE; the next call goes on."""
    if (beyond := min(_count(connection, ~WAITING) - most, MOST_AT_ONCE)) > 0:
        _delete(connection, _locked(select(kept.c.prediction).where(~WAITING).order_by(kept.c.at).limit(beyond)))


def delete_old(connection: Connection, moment: float, limit: int) -> int:
    """Delete images from before `moment`, at most `limit`; return how many."""
    return _delete(connection, _locked(select(kept.c.prediction).where(kept.c.at < moment).limit(limit)))


def count_to_go(connection: Connection, moment: float | None, waiting_since: float, most: int) -> int:
    """Count images from before `moment`, those that wait since before `waiting_since`, and labelled ones above `most`.

    None keeps images of any age, and 0 any number of labelled ones.
    """
    old = false() if moment is None else kept.c.at < moment
    overdue = WAITING & (kept.c.at < waiting_since)
    stays = ~WAITING | (overdue & HAS_LABEL)
    without = _count(connection, WAITING & ~HAS_LABEL & (overdue | old)) + _count(
        connection, WAITING & HAS_LABEL & ~overdue & old
    )
    beyond = _count(connection, stays) - most if most else 0
    return without + max(_count(connection, stays & old), beyond)


def delete_predictions(connection: Connection, predictions: Collection[str]) -> int:
    """Delete the images of these predictions; return how many there were."""
    return connection.execute(delete(kept).where(kept.c.prediction.in_(predictions))).rowcount


def predictions_of(connection: Connection, unit: int) -> Sequence[str]:
    """Return the predictions of a unit's images."""
    return connection.execute(select(kept.c.prediction).where(kept.c.unit == unit)).scalars().all()


def labelled(connection: Connection, *, pixels: bool = False) -> list[Row]:
    """Return images with the `label` in force, its `source` and its moment `labelled_at`, the first labelled first."""
    columns = [column for column in kept.c if pixels or column is not kept.c.pixels]
    found = _labels(*columns, feedback.c.at.label("labelled_at"))
    rows = connection.execute(select(found).where(found.c.place == IN_FORCE)).all()
    return sorted(rows, key=lambda row: (row.labelled_at, row.prediction))


def count_labelled(connection: Connection) -> tuple[Sequence[Row], int]:
    """Return the `number` of images by the `label` in force and its `source`, and how many units they come from."""
    labels = _labels()
    counts = select(labels.c.label, labels.c.source, func.count().label("number")).where(labels.c.place == IN_FORCE)
    units = select(func.count(kept.c.unit.distinct())).where(HAS_LABEL)
    counted = connection.execute(counts.group_by(labels.c.label, labels.c.source)).all()
    return counted, connection.execute(units).scalar_one()


def labelled_predictions(connection: Connection) -> set[str]:
    """Return the predictions whose images are kept and have a label."""
    return set(connection.execute(select(kept.c.prediction).where(HAS_LABEL)).scalars())


def count_waiting(connection: Connection) -> int:
    """Return the number of images that wait for a label."""
    return _count(connection, WAITING & ~HAS_LABEL)


def count_by_state(connection: Connection) -> dict[str, int]:
    """Return the number of images whose time for a label runs (`waiting`), and of those kept for theirs (`settled`).

    It looks at no label, so that metrics may ask at any time.
    """
    return {"waiting": _count(connection, WAITING), "settled": _count(connection, ~WAITING)}


def knows(connection: Connection, prediction: str) -> bool:
    """Say whether a prediction's image is kept, or has a label."""
    image, label = (exists().where(each.c.prediction == prediction) for each in (kept, feedback))
    return bool(connection.execute(select(image | label)).scalar())


def share_with_pixels(connection: Connection) -> float | None:
    """Return the share of labelled predictions whose images are kept, None without a label.

    It counts labels since the oldest kept image: earlier ones had none, or lost theirs by age.
    """
    recent = feedback.c.at >= select(func.min(kept.c.at)).scalar_subquery()
    labels, found = (
        connection.execute(select(func.count(feedback.c.prediction.distinct())).where(recent, where)).scalar_one()
        for where in (true(), feedback.c.prediction.in_(select(kept.c.prediction)))
    )
    return found / labels if labels else None


def _labels(*columns: ColumnElement) -> Subquery:
    """Select images with each of their labels, and `columns`; `place` is IN_FORCE for the label of the highest rank."""
    rank = case(RANK, value=feedback.c.source).desc()
    place = func.row_number().over(partition_by=kept.c.prediction, order_by=rank).label("place")
    both = kept.join(feedback, feedback.c.prediction == kept.c.prediction)
    return select(*columns, feedback.c.label, feedback.c.source, place).select_from(both).subquery()


def _largest(connection: Connection) -> int | None:
    return connection.execute(select(func.max(kept.c.draw)).where(WAITING)).scalar()


def _count(connection: Connection, where: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(kept).where(where)).scalar_one()


def _settle(connection: Connection, where: ColumnElement[bool], order: ColumnElement, limit: int) -> int:
    chosen = connection.execute(
        _locked(select(kept.c.prediction, HAS_LABEL.label("has_label")).where(where).order_by(order).limit(limit))
    ).all()
    stay = [row.prediction for row in chosen if row.has_label]
    connection.execute(update(kept).where(kept.c.prediction.in_(stay)).values(draw=None))
    delete_predictions(connection, [row.prediction for row in chosen if not row.has_label])
    return len(chosen)


def _locked(query: Select) -> Select:
    """Lock rows, but for those that another worker settles."""
    return query.with_for_update(skip_locked=True, of=kept)


def _delete(connection: Connection, query: Select) -> int:
    return delete_predictions(connection, connection.execute(query).scalars().all())
