"""Delete labels, and images that wait in label queues, of one prediction or unit; unlink a unit from what stays."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, Row, Table, bindparam, delete, select, tuple_, update

from serving.gateway.store.tables import exposures, feedback, images, phases, unit_results, units


def labels_of_predictions(connection: Connection, predictions: Collection[str]) -> int:
    """Delete the labels of these predictions; return how many there were."""
    return connection.execute(delete(feedback).where(feedback.c.prediction.in_(predictions))).rowcount


def labels_of_units(connection: Connection, names: Mapping[int, int]) -> int:
    """Delete the labels that experiments have from units, named by experiment; return how many there were."""
    return connection.execute(delete(feedback).where(_of_units(feedback, names.items()))).rowcount


def queued_of_units(connection: Connection, names: Mapping[int, int], image: int | None = None) -> int:
    """Take units' images, or the one with this hash, out of the queues, pixels and all; return how many."""
    of_units = _of_units(images, names.items())
    return _empty(connection, of_units if image is None else of_units & (images.c.image == image))


def unlink_units(connection: Connection, names: Mapping[int, int]) -> None:
    """Give units, named by experiment, random names: their evidence and counts stay, and lead to nobody.

    A unit has one new name in an experiment. The experiments are locked.
    """
    new = {(experiment, unit): secrets.randbits(64) - 2**63 for experiment, unit in names.items()}
    for table in (exposures, units, unit_results, images):
        _rename(connection, table, new)


def salts(connection: Connection) -> Sequence[Row]:
    """Return `experiment_id` and `traffic_salt` of all experiments that have started; the salt names their units."""
    return connection.execute(select(phases.c.experiment_id, phases.c.traffic_salt).distinct()).all()


def _of_units(table: Table, units: Iterable[tuple[int, int]]) -> ColumnElement[bool]:
    """Return the condition of these units' rows, of all experiments at once: most tables have no index by unit."""
    return tuple_(table.c.experiment_id, table.c.unit).in_(list(units))


def _rename(connection: Connection, table: Table, new: Mapping[tuple[int, int], int]) -> None:
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
