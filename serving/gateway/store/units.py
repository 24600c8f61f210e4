"""Keep the units of experiments: their arms, their outcomes, their results in pairs, and their guardrail cases."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from serving.gateway.store import days
from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.scoring import UnitResult
from serving.gateway.store.store import insert
from serving.gateway.store.tables import unit_results, units

Results = list[UnitResult]


def write(connection: Connection, experiment: int, phase: int, given: Mapping[int, tuple[int, float]]) -> Tally:
    """Write the new ones among units, given with their arms and times of exposure; return the counts of these."""
    rows = [
        {"experiment_id": experiment, "phase": phase, "unit": unit, "arm": arm, "image": None, "cases": 0}
        for unit, (arm, _) in sorted(given.items())
    ]
    statement = insert(connection.dialect.name, units).on_conflict_do_nothing().returning(units.c.unit)
    new = [given[unit] for unit in connection.execute(statement, rows).scalars()]
    counts = Tally(Count("units", arm) for arm, _ in new)
    counts.update(Count(days.UNITS, arm, days.day(at)) for arm, at in new)
    return counts


def distinct(connection: Connection, experiment: int, phases: Collection[int], most: int) -> int:
    """Return the number of units exposed in any of these phases, `most` at most; each counts once."""
    found = select(units.c.unit).where(units.c.experiment_id == experiment, units.c.phase.in_(phases))
    return connection.execute(select(func.count()).select_from(found.distinct().limit(most).subquery())).scalar_one()


def outcomes(connection: Connection, experiment: int, phase: int, of: Collection[int]) -> dict[int, int | None]:
    """Lock these units, as far as they are known; return the image whose label is the outcome of each."""
    return dict(_locked(connection, units.c.image, experiment, phase, of))


def set_outcomes(connection: Connection, experiment: int, phase: int, images: Mapping[int, int]) -> None:
    """Set the image whose label is the outcome, by unit."""
    _set(connection, "image", experiment, phase, images)


def add_cases(connection: Connection, experiment: int, phase: int, bits: Mapping[int, int]) -> dict[int, int]:
    """Add guardrail cases to known units, as bits; return the bits that are new, by unit."""
    before = dict(_locked(connection, units.c.cases, experiment, phase, bits)) if bits else {}
    new = {unit: bits[unit] & ~had for unit, had in before.items() if bits[unit] & ~had}
    _set(connection, "cases", experiment, phase, {unit: before[unit] | more for unit, more in new.items()})
    return new


def claim_results(
    connection: Connection, experiment: int, epoch: int, first: Mapping[int, tuple[int, Results]]
) -> dict[int, tuple[int, Results]]:
    """Lock the results of units; return the phase and the results by arm of each that had some.

    `first` are the results of units without any before, which are written.
    """
    statement = insert(connection.dialect.name, unit_results).on_conflict_do_nothing().returning(unit_results.c.unit)
    new = set(connection.execute(statement, _rows(experiment, epoch, first)).scalars())
    query = select(unit_results.c.unit, unit_results.c.phase, unit_results.c.pairs).where(
        unit_results.c.experiment_id == experiment, unit_results.c.epoch == epoch,
        unit_results.c.unit.in_(first.keys() - new),
    )  # fmt: skip
    rows = connection.execute(query.order_by(unit_results.c.unit).with_for_update()) if len(new) < len(first) else ()
    return {row.unit: (row.phase, [UnitResult(*pair) for pair in row.pairs]) for row in rows}


def write_results(
    connection: Connection, experiment: int, epoch: int, given: Mapping[int, tuple[int, Results]]
) -> None:
    """Write the phase and the results by arm, by unit."""
    if rows := _rows(experiment, epoch, given):
        statement = insert(connection.dialect.name, unit_results)
        changed = {"pairs": statement.excluded.pairs}
        connection.execute(
            statement.on_conflict_do_update(index_elements=list(unit_results.primary_key), set_=changed), rows
        )


def _rows(experiment: int, epoch: int, given: Mapping[int, tuple[int, Results]]) -> list[dict[str, Any]]:
    return [
        {"experiment_id": experiment, "epoch": epoch, "unit": unit, "phase": phase, "pairs": _short(pairs)}
        for unit, (phase, pairs) in sorted(given.items())
    ]


def _short(results: Results) -> list[Sequence[int | None]]:
    """Return results without the fields that are as in a UnitResult of images without a case."""
    return [tuple(result) if result.won or result.lost else result[:1] for result in results]


def _locked(connection: Connection, column: Any, experiment: int, phase: int, of: Collection[int]) -> Any:
    query = select(units.c.unit, column).where(
        units.c.experiment_id == experiment, units.c.phase == phase, units.c.unit.in_(of)
    )
    query = query.order_by(units.c.unit).with_for_update(key_share=True)
    return [(row[0], row[1]) for row in connection.execute(query)]


def _set(connection: Connection, column: str, experiment: int, phase: int, values: Mapping[int, int]) -> None:
    if values:
        of_unit = (units.c.experiment_id == experiment) & (units.c.phase == phase) & (units.c.unit == bindparam("of"))
        statement = update(units).where(of_unit).values({column: bindparam("value")})
        connection.execute(statement, [{"of": unit, "value": value} for unit, value in sorted(values.items())])
