"""Write exposures, their units and the counters of both, idempotently."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, log2
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import Connection, delete, select

from serving.gateway.store import shadows
from serving.gateway.store.counts import Count, Tally, add
from serving.gateway.store.shadows import ShadowAnswers
from serving.gateway.store.store import insert
from serving.gateway.store.tables import experiments, exposures, units

BUCKETS_AN_OCTAVE = 4


class Asked(NamedTuple):
    """The outcome of one request to one arm."""

    arm: int
    milliseconds: float
    failed: bool
    slow: bool


@dataclass(frozen=True, slots=True)
class Exposure:
    """A request of an experiment; `served` is the arm that answered, None without one.

    `asked` are the requests to arms that count. `answered` holds the answers of all arms, where all have answered.
    """

    id: str
    experiment_id: int
    phase: int
    unit: int
    assigned: int
    served: int | None
    propensity: float
    images: int
    milliseconds: float
    failed: bool
    at: float
    asked: tuple[Asked, ...] = ()
    answered: tuple[ShadowAnswers, ...] = ()


COLUMNS = attrgetter(*(column.name for column in exposures.columns))


def lock(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    """Lock these experiments until the transaction ends; return the status of each.

    Writers of an experiment's counters take turns. So the later of a label and the shadow answers to the same image
    counts both.
    """
    query = select(experiments.c.id, experiments.c.status).where(experiments.c.id.in_(sorted(set(ids))))
    query = query.order_by(experiments.c.id).with_for_update(key_share=True)
    return {row.id: row.status for row in connection.execute(query)}


def write(connection: Connection, given: Sequence[Exposure]) -> None:
    """Write exposures of locked experiments; skip those already there, and do not count them again."""
    statement = insert(connection.dialect.name, exposures).on_conflict_do_nothing().returning(exposures.c.id)
    rows = [dict(zip(exposures.columns.keys(), COLUMNS(exposure), strict=True)) for exposure in given]
    new = set(connection.execute(statement, rows).scalars())
    by_phase: dict[tuple[int, int], list[Exposure]] = defaultdict(list)
    for exposure in given:
        if exposure.id in new:
            by_phase[exposure.experiment_id, exposure.phase].append(exposure)
    for (experiment, phase), batch in by_phase.items():
        tally = _requests(asked for exposure in batch for asked in exposure.asked)
        tally += write_units(connection, experiment, phase, {exposure.unit: exposure.assigned for exposure in batch})
        tally += shadows.write(
            connection, experiment, phase, [answered for exposure in batch for answered in exposure.answered]
        )
        add(connection, experiment, phase, tally)


def write_units(connection: Connection, experiment: int, phase: int, arms: dict[int, int]) -> Tally:
    """Write the new ones among units, given with their arms; return the counts of these."""
    rows = [
        {"experiment_id": experiment, "phase": phase, "unit": unit, "arm": arm, "labelled": False}
        for unit, arm in sorted(arms.items())
    ]
    statement = insert(connection.dialect.name, units).on_conflict_do_nothing().returning(units.c.arm)
    return Tally(Count("units", arm) for arm in connection.execute(statement, rows).scalars())


def delete_before(connection: Connection, moment: float) -> int:
    """Delete the exposures from before `moment`; return their number. Counters and units stay."""
    return connection.execute(delete(exposures).where(exposures.c.at < moment)).rowcount


def bucket(milliseconds: float) -> int:
    """Return the number of the histogram's bucket; a doubling spans four."""
    return ceil(BUCKETS_AN_OCTAVE * log2(max(milliseconds, 0.01)))


def upper_bound(bucket: int) -> float:
    """Return the most milliseconds in a bucket."""
    return 2 ** (bucket / BUCKETS_AN_OCTAVE)


def _requests(asked: Iterable[Asked]) -> Tally:
    tally = Tally()
    for outcome in asked:
        tally[Count("requests", outcome.arm)] += 1
        if outcome.failed:
            tally[Count("failures", outcome.arm)] += 1
        else:
            tally[Count("latency", outcome.arm, bucket(outcome.milliseconds))] += 1
        if outcome.slow:
            tally[Count("slow", outcome.arm)] += 1
    return tally
