"""Store labels, one a prediction and source; the one of the highest source is in force."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select

from serving.gateway.store import counts
from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.sources import RANK, outranks
from serving.gateway.store.store import insert
from serving.gateway.store.tables import feedback


@dataclass(frozen=True, slots=True)
class Label:
    """The true class of a prediction's image, from `source`; the fields from `experiment_id` on are of an exposure.

    `arm` is the assigned one. `at` is in seconds since 1970. `key` is the id of the sender's key.
    """

    prediction: str
    label: str
    source: str
    predicted: str
    variant: str
    version: int
    at: float
    experiment_id: int | None = None
    phase: int | None = None
    arm: int | None = None
    served: int | None = None
    unit: int | None = None
    image: int | None = None
    key: str | None = None


class Fate(Enum):
    """The outcomes of storing a label."""

    STORED = "stored"
    REPLACED = "replaced a label of lower rank"
    STORED_BEFORE = "stored before"
    KEPT = "a label of higher rank stays"
    OTHER = "another label of the same rank stays"


class Written(NamedTuple):
    """The outcome of storing a label, the label that was in force before it, and whether a row was added.

    `before` is None without one. A label of lower rank than the one in force is added, too: it is part of the history.
    """

    fate: Fate
    before: tuple[str, str] | None  # source, label
    added: bool

    @property
    def in_force(self) -> bool:
        """Whether the label is now in force and was not before."""
        return self.fate in (Fate.STORED, Fate.REPLACED)


InForce = dict[str, dict[str, str]]  # label by source, by prediction


def write(connection: Connection, labels: Sequence[Label]) -> list[Written]:
    """Store labels in their order; return the outcome of each. Their experiments are locked."""
    known = _stored(connection, {label.prediction for label in labels})
    written = [_take(known[label.prediction], label) for label in labels]
    rows = [_row(label) for label, each in zip(labels, written, strict=True) if each.added]
    if rows:
        columns = feedback.c.prediction, feedback.c.source
        statement = insert(connection.dialect.name, feedback).on_conflict_do_nothing().returning(*columns)
        done = connection.execute(statement, sorted(rows, key=lambda row: (row["prediction"], row["source"])))
        written = _settled(connection, labels, written, {(row.prediction, row.source) for row in done})
    _count(connection, labels, written)
    return written


def of_prediction(connection: Connection, prediction: str) -> Sequence[Row]:
    """Return `source`, `label`, `at` and `key` of a prediction's labels, the one in force first."""
    query = select(feedback.c.source, feedback.c.label, feedback.c.at, feedback.c.key)
    query = query.where(feedback.c.prediction == prediction)
    return sorted(connection.execute(query).all(), key=lambda row: -RANK[row.source])


def _take(known: dict[str, str], label: Label) -> Written:
    """Add a label to the prediction's `known` ones unless its source has one; return the outcome."""
    highest = max(known, key=RANK.__getitem__, default=None)
    before = None if highest is None else (highest, known[highest])
    added = label.source not in known
    first = known.setdefault(label.source, label.label)
    if highest is None:
        return Written(Fate.STORED, before, added)
    if outranks(label.source, highest):
        return Written(Fate.REPLACED, before, added)
    if label.source != highest:
        return Written(Fate.KEPT, before, added)
    return Written(Fate.STORED_BEFORE if first == label.label else Fate.OTHER, before, added)


def _settled(
    connection: Connection, labels: Sequence[Label], written: list[Written], done: Collection[tuple[str, str]]
) -> list[Written]:
    """Return the outcomes again, where another worker stored a label outside of experiments first."""
    late = {
        label.prediction
        for label, each in zip(labels, written, strict=True)
        if each.added and (label.prediction, label.source) not in done
    }
    known = _stored(connection, late) if late else {}
    return [
        _take(known[label.prediction], label) if label.prediction in late else each
        for label, each in zip(labels, written, strict=True)
    ]


def _row(label: Label) -> dict[str, Any]:
    return {name: getattr(label, name) for name in Label.__slots__}


def _stored(connection: Connection, predictions: Collection[str]) -> InForce:
    query = select(feedback.c.prediction, feedback.c.source, feedback.c.label)
    known: InForce = defaultdict(dict)
    for row in connection.execute(query.where(feedback.c.prediction.in_(predictions))):
        known[row.prediction][row.source] = row.label
    return known


def _count(connection: Connection, labels: Sequence[Label], written: Sequence[Written]) -> None:
    """Count the labels in force by source and arm."""
    tallies: Mapping[tuple[int, int], Tally] = defaultdict(Tally)
    for label, each in zip(labels, written, strict=True):
        if each.in_force and label.experiment_id is not None and label.phase is not None:
            tally = tallies[label.experiment_id, label.phase]
            tally[Count(f"labels_{label.source}", label.arm or 0)] += 1
            if each.before is not None:
                tally[Count(f"labels_{each.before[0]}", label.arm or 0)] -= 1
    for (experiment, phase), tally in tallies.items():
        counts.add(connection, experiment, phase, {count: n for count, n in tally.items() if n})
