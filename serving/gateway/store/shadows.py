"""Keep the answers of all arms of paired experiments, and the queue of images to label."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, select, update

from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.store import insert
from serving.gateway.store.tables import QUEUED, feedback, shadows

MOST_QUEUED = 1000  # images an experiment
QUEUED_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class ShadowAnswers:
    """The label and the confidence of each arm for one image; `key` is the prediction's."""

    key: str
    prediction_id: str
    answers: tuple[tuple[str, float], ...]
    pixels: bytes

    @property
    def disagree(self) -> bool:
        """Whether the arms disagree on the label."""
        return len({label for label, _ in self.answers}) > 1

    @property
    def usefulness(self) -> float:
        """Return the confidence of the least sure arm: sure arms that disagree reveal a clear error."""
        return min(confidence for _, confidence in self.answers)


def write(connection: Connection, experiment: int, phase: int, images: Sequence[ShadowAnswers]) -> Tally:
    """Write new images of a locked experiment; return their counts, which include labels already there."""
    if not images:
        return Tally()
    query = select(feedback.c.prediction, feedback.c.label, feedback.c.decisive)
    query = query.where(feedback.c.prediction.in_([image.key for image in images]))
    labels = {row.prediction: row for row in connection.execute(query)}
    tally = Tally({Count("compared"): len(images)})
    rows = []
    now = time.time()
    for image in images:
        label = labels.get(image.key)
        if image.disagree:
            tally[Count("disagreements")] += 1
        if label is not None and label.decisive:
            tally += masked(image.answers, label.label)
        queued = image.disagree and label is None
        rows.append(
            {
                "prediction": image.key, "experiment_id": experiment, "phase": phase, "answers": image.answers,
                "prediction_id": image.prediction_id if queued else None, "usefulness": image.usefulness,
                "pixels": image.pixels if queued else None, "at": now,
            }
        )  # fmt: skip
    connection.execute(insert(connection.dialect.name, shadows), rows)
    if any(row["pixels"] for row in rows):
        _bound(connection, experiment)
    return tally


def masked(answers: Sequence[Sequence[Any]], label: str) -> Tally:
    """Return the counts of one labelled image: the mask of the right arms, and a disagreement."""
    given = [answer for answer, _ in answers]
    mask = sum(1 << arm for arm, answer in enumerate(given) if answer == label)
    tally = Tally({Count("mask", 0, mask): 1})
    if len(set(given)) > 1:
        tally[Count("labelled_disagreements")] = 1
    return tally


def answers_of(connection: Connection, keys: Sequence[str]) -> dict[str, Sequence[Sequence[Any]]]:
    """Return the answers of all arms for these predictions, as far as stored."""
    query = select(shadows.c.prediction, shadows.c.answers).where(shadows.c.prediction.in_(keys))
    return {row.prediction: row.answers for row in connection.execute(query)}


def unqueue(connection: Connection, keys: Sequence[str]) -> None:
    """Remove labelled images from the queue, and their pixels."""
    _forget(connection, shadows.c.prediction.in_(keys))


def queued(connection: Connection, experiment: int, most: int) -> Sequence[Row]:
    """Return unlabelled images on which the arms disagree, the most useful first."""
    query = select(shadows).where(*_waiting(experiment))
    query = query.order_by(shadows.c.usefulness.desc(), shadows.c.prediction).limit(most)
    return connection.execute(query).all()


def count_queued(connection: Connection, experiment: int) -> int:
    """Return the number of images in the queue."""
    return connection.execute(select(func.count()).select_from(shadows).where(*_waiting(experiment))).scalar_one()


def forget_old_pixels(connection: Connection) -> None:
    """Delete the pixels of images that have waited QUEUED_SECONDS for a label."""
    _forget(connection, shadows.c.at < _oldest())


def delete_before(connection: Connection, moment: float) -> int:
    """Delete the answers from before `moment`; return the number of their images. Counts stay."""
    return connection.execute(delete(shadows).where(shadows.c.at < moment)).rowcount


def _waiting(experiment: int) -> tuple[ColumnElement[bool], ...]:
    return shadows.c.experiment_id == experiment, QUEUED, shadows.c.at >= _oldest()


def _oldest() -> float:
    return time.time() - QUEUED_SECONDS


def _bound(connection: Connection, experiment: int) -> None:
    """Delete the pixels of the least useful images beyond MOST_QUEUED, and of those too old."""
    forget_old_pixels(connection)
    of_experiment = (shadows.c.experiment_id == experiment) & QUEUED
    ranked = select(shadows.c.prediction).where(of_experiment)
    beyond = ranked.order_by(shadows.c.usefulness.desc(), shadows.c.prediction).offset(MOST_QUEUED)
    surplus = connection.execute(beyond.limit(MOST_QUEUED)).scalars().all()
    if surplus:
        unqueue(connection, surplus)


def _forget(connection: Connection, where: Any) -> None:
    connection.execute(update(shadows).where(where & QUEUED).values(pixels=None, prediction_id=None))
