"""Keep the images of experiments by the hash of their pixels, and the queue of those to label."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, tuple_, update

from serving.gateway.store import locks
from serving.gateway.store.scoring import Answers, Image
from serving.gateway.store.store import insert
from serving.gateway.store.tables import LABELLED, QUEUED, experiments, images

MOST_QUEUED = 1000  # images an experiment
DAY_SECONDS = 24 * 3600
QUEUED_DAYS = 7
FIELDS = tuple(Image.__slots__)
VALUES = attrgetter(*FIELDS)


@dataclass(frozen=True, slots=True)
class ImageAnswers:
    """The answers of all arms about one image; `image` is the hash of the pixels."""

    prediction_id: str
    image: int
    answers: Answers
    pixels: bytes


def load(
    connection: Connection, experiment: int, epoch: int, hashes: Collection[int], *, lock: bool = False
) -> dict[int, Image]:  # fmt: skip
    """Return the images with these hashes, as far as the experiment has them; `lock` them until its end."""
    query = select(*(images.c[name] for name in FIELDS)).where(
        images.c.experiment_id == experiment, images.c.epoch == epoch, images.c.image.in_(hashes)
    )
    if lock:
        query = query.order_by(images.c.image).with_for_update()
    return {row.image: Image(**row._mapping) for row in connection.execute(query)}


def claim(connection: Connection, experiment: int, epoch: int, first: Mapping[int, Image]) -> dict[int, Image]:
    """Lock images by their hashes; return those that the experiment had.

    `first` are the images to write where there are none; on SQLite nothing is written yet, and nobody else writes.
    """
    if not first or not locks.shared(connection):
        return load(connection, experiment, epoch, first) if first else {}
    statement = insert(connection.dialect.name, images).on_conflict_do_nothing().returning(images.c.image)
    new = set(connection.execute(statement, _rows(experiment, epoch, first)).scalars())
    there = load(connection, experiment, epoch, first.keys() - new, lock=True) if len(new) < len(first) else {}
    # Retention may have deleted one between the two statements.
    gone = {key: image for key, image in first.items() if key not in new and key not in there}
    return {**there, **claim(connection, experiment, epoch, gone)}


def labelled(connection: Connection, experiment: int, epoch: int, unit: int) -> list[Image]:
    """Return a unit's images with a label, in random order and without pixels."""
    query = select(*(images.c[name] for name in FIELDS if name != "pixels")).where(
        images.c.experiment_id == experiment, images.c.epoch == epoch, images.c.unit == unit, LABELLED
    )
    rows = connection.execute(query.order_by(images.c.draw, images.c.image))
    return [Image(**row._mapping) for row in rows]


def save(
    connection: Connection, experiment: int, epoch: int, changed: Mapping[int, Image],
    claimed: Mapping[int, Image] = MappingProxyType({}),
) -> None:  # fmt: skip
    """Write new and changed images, but for those that `claim` has written as they are."""
    known = claimed if locks.shared(connection) else {}
    changed = {key: image for key, image in changed.items() if image is not known.get(key)}
    if rows := _rows(experiment, epoch, changed):
        connection.execute(_upsert(connection.dialect.name), rows)


def bound(connection: Connection, experiment: int) -> None:
    """Delete the pixels of the images that are last in the random order, beyond MOST_QUEUED, and of those too old."""
    of_experiment = (images.c.experiment_id == experiment) & QUEUED
    _forget_free(connection, of_experiment & (images.c.at < _oldest()))
    last = select(images.c.draw).where(of_experiment).order_by(images.c.draw, images.c.image).offset(MOST_QUEUED)
    if (beyond := connection.execute(last.limit(1)).scalar()) is not None:
        _forget_free(connection, of_experiment & (images.c.draw >= beyond))


def queued(connection: Connection, experiment: int, most: int) -> Sequence[Row]:
    """Return images on which the arms disagree, without a trusted label, in the queue's random order."""
    query = select(images).where(*_waiting(experiment)).order_by(images.c.draw, images.c.image).limit(most)
    return connection.execute(query).all()


def count_queued(connection: Connection, experiment: int) -> int:
    """Return the number of images in the queue."""
    return connection.execute(select(func.count()).select_from(images).where(*_waiting(experiment))).scalar_one()


def oldest_queued(connection: Connection, experiment: int) -> float | None:
    """Return since when the oldest image of the queue waits, in seconds since 1970; None for an empty queue."""
    return connection.execute(select(func.min(images.c.at)).where(*_waiting(experiment))).scalar()


def forget_old_pixels(connection: Connection) -> None:
    """Delete the pixels of images that have waited QUEUED_DAYS for a label."""
    _forget(connection, images.c.at < _oldest())


def forget_archived_pixels(connection: Connection) -> None:
    """Empty the queues of archived experiments: those that earlier releases archived kept theirs."""
    _forget(connection, images.c.experiment_id.in_(select(experiments.c.id).where(experiments.c.status == "archived")))


def forget_pixels(connection: Connection, experiment: int) -> None:
    """Empty the queue of an experiment."""
    _forget(connection, images.c.experiment_id == experiment)


def _waiting(experiment: int) -> tuple[ColumnElement[bool], ...]:
    return images.c.experiment_id == experiment, QUEUED, images.c.at >= _oldest()


def _oldest() -> float:
    """Return the start of the first day whose images wait; whole days leave, whatever their images show."""
    return (time.time() // DAY_SECONDS - QUEUED_DAYS) * DAY_SECONDS


def _forget_free(connection: Connection, where: ColumnElement[bool]) -> None:
    """Delete pixels, but for those of images that other writers hold: the next look finds them."""
    key = list(images.primary_key)
    _forget(connection, tuple_(*key).in_(select(*key).where(where).with_for_update(skip_locked=True)))


def _rows(experiment: int, epoch: int, given: Mapping[int, Image]) -> list[dict[str, Any]]:
    """Return rows, sorted by hash: all writers lock in this order."""
    return [
        {"experiment_id": experiment, "epoch": epoch, **dict(zip(FIELDS, VALUES(image), strict=True))}
        for _, image in sorted(given.items())
    ]


def _forget(connection: Connection, where: Any) -> None:
    connection.execute(update(images).where(where & QUEUED).values(pixels=None, prediction_id=None))


@cache
def _upsert(dialect: str) -> Any:
    """Return the INSERT that replaces an image; building it takes longer than running it."""
    statement = insert(dialect, images)
    changed = {name: statement.excluded[name] for name in FIELDS if name != "image"}
    return statement.on_conflict_do_update(index_elements=list(images.primary_key), set_=changed)
