"""Delete the images and labels of a prediction or of a unit.

Counts and evidence of experiments stay, and so the answers and labels behind them, without pixels. Those of a unit get
a random name.
"""

from typing import NamedTuple

from sqlalchemy import Connection

from serving.gateway.errors import NotFound
from serving.gateway.experiments.assignment import unit_name
from serving.gateway.experiments.prediction_id import KEY, read
from serving.gateway.learning.keeper import unit_hash
from serving.gateway.store import forget, kept, locks
from serving.gateway.store.experiments import signing_key

AT_ONCE = 500  # predictions, or names of a unit, in one statement


class Forgotten(NamedTuple):
    """The numbers of images and labels that were deleted."""

    images: int
    labels: int


def forget_prediction(connection: Connection, prediction: str) -> Forgotten:
    """Delete the image and the labels of a prediction; raise NotFound for an id that the gateway did not give.

    `prediction` is such an id, or its key, by which image sets name it.
    """
    key, place = _found(connection, prediction)
    queued = 0
    if place:
        (experiment, unit), image = place
        locks.own(connection, [experiment])  # a label at this moment would write pixels back
        queued = forget.queued_of_units(connection, [(experiment, unit)], image)
    images = kept.delete_predictions(connection, [key])
    return Forgotten(max(images, queued), forget.labels_of_predictions(connection, [key]))


def forget_unit(connection: Connection, unit: str) -> Forgotten:
    """Delete the kept images of a unit with their labels, and the images and labels that experiments have from it.

    What experiments count stays, by a random name.
    """
    salts = forget.salts(connection)
    locks.own(connection, sorted({experiment for experiment, _ in salts}))  # as for a prediction
    names = sorted({(experiment, unit_name(salt, unit)) for experiment, salt in salts})
    predictions = kept.predictions_of(connection, unit_hash(signing_key(connection), unit))
    images = labels = 0
    for at in range(0, len(predictions), AT_ONCE):
        images += kept.delete_predictions(connection, predictions[at : at + AT_ONCE])
        labels += forget.labels_of_predictions(connection, predictions[at : at + AT_ONCE])
    for at in range(0, len(names), AT_ONCE):
        some = names[at : at + AT_ONCE]
        images += forget.queued_of_units(connection, some)
        labels += forget.labels_of_units(connection, some)
        forget.unlink_units(connection, some)
    return Forgotten(images, labels)


def _found(connection: Connection, prediction: str) -> tuple[str, tuple[forget.UnitName, int] | None]:
    """Return the key of a prediction, and its unit and image in an experiment."""
    reference = read(signing_key(connection), prediction)
    if reference:
        exposed = reference.exposed
        return reference.key, ((exposed.experiment, exposed.unit), reference.image) if exposed else None
    if KEY.fullmatch(prediction) and kept.knows(connection, prediction):
        return prediction, forget.place_of(connection, prediction)
    raise NotFound(f"There is no prediction {prediction[:200]!r}; /predict and image sets name predictions.")
