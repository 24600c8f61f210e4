"""Delete labels, and images that wait in label queues, of one prediction or unit; unlink a unit from what stays."""

import secrets
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, select, tuple_, update

from serving.gateway.store.tables import exposures, feedback, images, phases, unit_results, units

UnitName = tuple[int, int]  # an experiment, and the name that a unit has in it


def labels_of_predictions(connection: Connection, predictions: Collection[str]) -> int:
    """Delete the labels of these predictions; return how many there were."""
    return connection.execute(delete(feedback).where(feedback.c.prediction.in_(predictions))).rowcount


def labels_of_units(connection: Connection, names: Collection[UnitName]) -> int:
    """Delete the labels that experiments have from units; return how many there were."""
    return connection.execute(delete(feedback).where(_of_units(feedback, names))).rowcount


def queued_of_units(connection: Connection, names: Collection[UnitName], image: int | None = None) -> int:
    """Take units' images, or the one with this hash, out of the queues, pixels and all; return how many."""
    of_units = _of_units(images, names)
    return _empty(connection, of_units if image is None else of_units & (images.c.image == image))


def unlink_units(connection: Connection, names: Collection[UnitName]) -> None:
    """Give units random names: their evidence and counts stay, and lead to nobody.

    A name has one new name. The experiments are locked.
    """
    new = {name: secrets.randbits(64) - 2**63 for name in names}
    for table in (exposures, units, unit_results, images):
        _rename(connection, table, new)


def salts(connection: Connection) -> set[tuple[int, str]]:
    """Return the salts that name units, with their experiments: those for the traffic.

    Earlier releases took one for each phase, and named units by that for the arms.
    """
    rows = connection.execute(select(phases.c.experiment_id, phases.c.traffic_salt, phases.c.arm_salt)).all()
    return {(experiment, salt) for experiment, *both in rows for salt in both}


def place_of(connection: Connection, prediction: str) -> tuple[UnitName, int] | None:
    """Return the name of a labelled prediction's unit, and the hash of its image; None outside of experiments."""
    columns = (feedback.c.experiment_id, feedback.c.unit, feedback.c.image)
    exposed = feedback.c.experiment_id.is_not(None)
    row = connection.execute(
        select(*columns).where(feedback.c.prediction == prediction, exposed).limit(1)
    ).one_or_none()
    return ((row.experiment_id, row.unit), row.image) if row else None


def _of_units(table: Table, units: Iterable[UnitName]) -> ColumnElement[bool]:
    """Return the condition of these units' rows, of all experiments at once: most tables have no index by unit."""
    return tuple_(table.c.experiment_id, table.c.unit).in_(list(units))


def _rename(connection: Connection, table: Table, new: Mapping[UnitName, int]) -> None:
    key = list(table.primary_key)
    rows = connection.execute(select(table.c.experiment_id, table.c.unit, *key).where(_of_units(table, new))).all()
    renamed = [
        {"unit": new[row.experiment_id, row.unit], **{f"of_{each.name}": getattr(row, each.name) for each in key}}
        for row in rows
    ]
    if renamed:
        one = update(table).where(*(each == bindparam(f"of_{each.name}") for each in key))
        connection.execute(one, renamed)


def _empty(connection: Connection, where: ColumnElement[bool]) -> int:
    waiting = where & images.c.pixels.is_not(None)
    return connection.execute(update(images).where(waiting).values(pixels=None, prediction_id=None)).rowcount
