"""Delete labels, and images that wait in label queues, of one prediction or unit."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, Row, delete, select, update

from serving.gateway.store.tables import feedback, images, phases


def labels_of_predictions(connection: Connection, predictions: Collection[str]) -> int:
    """Delete the labels of these predictions; return how many there were."""
    return connection.execute(delete(feedback).where(feedback.c.prediction.in_(predictions))).rowcount


def labels_of_unit(connection: Connection, experiment: int, unit: int) -> int:
    """Delete the labels that an experiment has from a unit; return how many there were."""
    of_unit = (feedback.c.experiment_id == experiment) & (feedback.c.unit == unit)
    return connection.execute(delete(feedback).where(of_unit)).rowcount


def queued_of_unit(connection: Connection, experiment: int, unit: int, image: int | None = None) -> int:
    """Take a unit's images, or the one with this hash, out of the queue, pixels and all; return how many."""
    of_unit = (images.c.experiment_id == experiment) & (images.c.unit == unit)
    return _empty(connection, of_unit if image is None else of_unit & (images.c.image == image))


def salts(connection: Connection) -> Sequence[Row]:
    """Return `experiment_id` and `traffic_salt` of all experiments that have started; the salt names their units."""
    return connection.execute(select(phases.c.experiment_id, phases.c.traffic_salt).distinct()).all()


def _empty(connection: Connection, where: ColumnElement[bool]) -> int:
    waiting = where & images.c.pixels.is_not(None)
    return connection.execute(update(images).where(waiting).values(pixels=None, prediction_id=None)).rowcount
