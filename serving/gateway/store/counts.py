"""Keep counters in the transaction of the counted rows, so that a report reads a few dozen rows."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, cast, func, select

from serving.gateway.store import locks
from serving.gateway.store.sources import SOURCES
from serving.gateway.store.store import insert
from serving.gateway.store.tables import counts


class Count(NamedTuple):
    """The name of a counter, with its arm and a further value where it has them."""

    name: str
    arm: int = 0
    value: int = 0


Tally = Counter[Count]
TOTAL = cast(func.sum(counts.c.n), BigInteger)  # of all slots
OF_LABELS = (*(f"labels_{source}" for source in SOURCES), "compared")


def add(connection: Connection, experiment: int, phase: int, tally: Mapping[Count, int]) -> None:
    """Add `tally` to the counters of one phase, in this transaction's slot."""
    of = {"experiment_id": experiment, "phase": phase, "slot": locks.slot(connection)}
    rows = [{**of, **count._asdict(), "n": n} for count, n in sorted(tally.items())]
    if rows:
        connection.execute(_sum_up(connection.dialect.name), rows)


def read(connection: Connection, experiment: int) -> dict[int, Tally]:
    """Return the counters of an experiment by phase; phases without any are missing."""
    phases: dict[int, Tally] = defaultdict(Tally)
    key = counts.c.phase, counts.c.name, counts.c.arm, counts.c.value
    query = select(*key, TOTAL).where(counts.c.experiment_id == experiment).group_by(*key)
    # All at once: there are thousands after a year, and one a time takes far longer.
    for phase, name, arm, value, n in connection.execute(query).all():
        phases[phase][Count(name, arm, value)] = n
    return dict(phases)


def of_names(connection: Connection, experiment: int, phase: int, names: Collection[str]) -> Tally:
    """Return the counters of these names in one phase."""
    key = counts.c.name, counts.c.arm, counts.c.value
    query = select(*key, TOTAL).where(
        counts.c.experiment_id == experiment, counts.c.phase == phase, counts.c.name.in_(names)
    )
    return Tally({Count(name, arm, value): n for name, arm, value, n in connection.execute(query.group_by(*key))})


def of_labels(connection: Connection, experiments: Collection[int]) -> dict[int, dict[tuple[Any, ...], int]]:
    """Return the counters, by experiment, that change with each label and each late answer of an arm."""
    found: dict[int, dict[tuple[Any, ...], int]] = {}
    key = counts.c.experiment_id, counts.c.phase, counts.c.name, counts.c.arm, counts.c.value
    query = select(*key, TOTAL).where(counts.c.experiment_id.in_(experiments), counts.c.name.in_(OF_LABELS))
    for experiment, *count, n in connection.execute(query.group_by(*key)):
        found.setdefault(experiment, {})[tuple(count)] = n
    return found


@cache
def _sum_up(dialect: str) -> Any:
    """Return the INSERT that adds to existing counters; building it takes longer than running it."""
    statement = insert(dialect, counts)
    added = {"n": counts.c.n + statement.excluded.n}
    return statement.on_conflict_do_update(index_elements=list(counts.primary_key), set_=added)
