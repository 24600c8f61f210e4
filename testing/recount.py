"""Count an experiment again from its rows, to check its counters."""

from collections import Counter
from typing import Any

from sqlalchemy import Connection, select

from serving.gateway.store import counts
from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.tables import exposures, feedback, shadows, units

OF_REQUESTS = {"requests", "failures", "slow", "latency"}  # without rows to count


def recounted(connection: Connection, experiment: int) -> dict[int, Tally]:
    """Return the counters of an experiment by phase, counted from its rows."""
    phases: dict[int, Tally] = {}

    def add(phase: int, *key: Any) -> None:
        phases.setdefault(phase, Tally())[Count(*key)] += 1

    for unit in _rows(connection, units, experiment):
        add(unit.phase, "units", unit.arm)
    answers = {}
    for shadow in _rows(connection, shadows, experiment):
        answers[shadow.prediction] = [label for label, _ in shadow.answers]
        add(shadow.phase, "compared")
        if len(set(answers[shadow.prediction])) > 1:
            add(shadow.phase, "disagreements")
    for label in _rows(connection, feedback, experiment):
        add(label.phase, f"labels_{label.source}", label.arm)
        if label.counted:
            add(label.phase, "labelled", label.arm)
            if label.label != label.predicted:
                add(label.phase, "errors", label.arm)
        if label.decisive and (said := answers.get(label.prediction)):
            add(label.phase, "mask", 0, sum(1 << arm for arm, each in enumerate(said) if each == label.label))
            if len(set(said)) > 1:
                add(label.phase, "labelled_disagreements")
    return phases


def kept(connection: Connection, experiment: int) -> dict[int, Tally]:
    """Return the stored counters, except those without rows."""
    return {
        phase: Tally({count: n for count, n in tally.items() if count.name not in OF_REQUESTS})
        for phase, tally in counts.read(connection, experiment).items()
    }


def problems(connection: Connection, experiment: int) -> list[str]:
    """Return the differences between an experiment's rows and counters, in words."""
    found = []
    if (a := recounted(connection, experiment)) != (b := kept(connection, experiment)):
        found.append(f"recounted {a}, kept {b}")
    labelled = Counter((row.phase, row.unit) for row in _rows(connection, feedback, experiment) if row.counted)
    marked = {(row.phase, row.unit) for row in _rows(connection, units, experiment) if row.labelled}
    if set(labelled) != marked or max(labelled.values(), default=1) > 1:
        found.append(f"{len(labelled)} units with a counted label, {len(marked)} marked so")
    exposed = {(row.phase, row.unit) for row in _rows(connection, exposures, experiment)}
    known = {(row.phase, row.unit) for row in _rows(connection, units, experiment)}
    if not exposed <= known:
        found.append(f"{len(exposed - known)} units were exposed and are not known")
    return found


def _rows(connection: Connection, table: Any, experiment: int) -> Any:
    return connection.execute(select(table).where(table.c.experiment_id == experiment)).all()
