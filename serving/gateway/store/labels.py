"""Store labels once, and count them in the same transaction."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from serving.gateway.store import shadows
from serving.gateway.store.counts import Count, Tally, add
from serving.gateway.store.exposures import write_units
from serving.gateway.store.store import insert
from serving.gateway.store.tables import feedback, units

Phase = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Label:
    """The true class of a prediction's image, from `source`; the fields from `experiment_id` on are of an exposure.

    `decisive` labels are evidence in the experiment.
    """

    prediction: str
    label: str
    source: str
    predicted: str
    variant: str
    version: int
    experiment_id: int | None = None
    phase: int | None = None
    arm: int | None = None
    unit: int | None = None
    decisive: bool = False


def write(connection: Connection, labels: Sequence[Label]) -> dict[str, str]:
    """Store labels of predictions without one; return the stored labels of the others.

    The labels are of different predictions, and their experiments are locked.
    """
    if not labels:
        return {}
    keys = [label.prediction for label in labels]
    known = _stored(connection, keys)
    first = _first_of_units(connection, [label for label in labels if label.prediction not in known])
    now = time.time()
    rows = [
        {**_columns(label), "counted": label.prediction in first, "at": now}
        for label in sorted(labels, key=lambda label: label.prediction)
        if label.prediction not in known
    ]
    if rows:
        statement = insert(connection.dialect.name, feedback).on_conflict_do_nothing().returning(feedback.c.prediction)
        new = set(connection.execute(statement, rows).scalars())
        _count(connection, [label for label in labels if label.prediction in new], first)
        if len(new) < len(rows):  # another worker stored a label outside of experiments first
            known = {key: said for key, said in _stored(connection, keys).items() if key not in new}
    return known


def _columns(label: Label) -> dict[str, Any]:
    return {name: getattr(label, name) for name in Label.__slots__}


def _stored(connection: Connection, keys: Sequence[str]) -> dict[str, str]:
    query = select(feedback.c.prediction, feedback.c.label).where(feedback.c.prediction.in_(keys))
    return {row.prediction: row.label for row in connection.execute(query)}


def _by_phase(labels: Sequence[Label]) -> dict[Phase, list[Label]]:
    grouped: dict[Phase, list[Label]] = defaultdict(list)
    for label in labels:
        if label.experiment_id is not None and label.phase is not None:
            grouped[label.experiment_id, label.phase].append(label)
    return grouped


def _first_of_units(connection: Connection, labels: Sequence[Label]) -> set[str]:
    """Return the decisive predictions whose units had no label yet, and mark these units."""
    first = set()
    for (experiment, phase), batch in _by_phase([label for label in labels if label.decisive]).items():
        by_unit = {label.unit or 0: label for label in reversed(batch)}
        new = write_units(connection, experiment, phase, {unit: label.arm or 0 for unit, label in by_unit.items()})
        add(connection, experiment, phase, new)
        key = {"experiment": experiment, "number": phase}
        of_phase = (units.c.experiment_id == bindparam("experiment")) & (units.c.phase == bindparam("number"))
        query = select(units.c.unit).where(of_phase, units.c.unit.in_(by_unit), ~units.c.labelled)
        unlabelled = connection.execute(query, key).scalars().all()
        if unlabelled:
            mark = update(units).where(of_phase, units.c.unit == bindparam("of_unit")).values(labelled=True)
            connection.execute(mark, [{**key, "of_unit": unit} for unit in unlabelled])
        first |= {by_unit[unit].prediction for unit in unlabelled}
    return first


def _count(connection: Connection, labels: Sequence[Label], first: set[str]) -> None:
    for (experiment, phase), batch in _by_phase(labels).items():
        answers = shadows.answers_of(connection, [label.prediction for label in batch])
        shadows.unqueue(connection, list(answers))
        tally = Tally()
        for label in batch:
            arm = label.arm or 0
            tally[Count(f"labels_{label.source}", arm)] += 1
            if label.decisive and label.prediction in answers:
                tally += shadows.masked(answers[label.prediction], label.label)
            if label.prediction in first:
                tally[Count("labelled", arm)] += 1
                tally[Count("errors", arm)] += label.label != label.predicted
        add(connection, experiment, phase, +tally)
