"""Take exposures from applications that serve the arms of an experiment elsewhere."""

import os
import time
from typing import NamedTuple

from serving.gateway.errors import Conflict
from serving.gateway.experiments.assignment import Assignment
from serving.gateway.experiments.cache import Running
from serving.gateway.experiments.prediction_id import IMAGE_BYTES, Exposed, image_hash, sign
from serving.gateway.store.exposures import Asked, Exposure


class Reported(NamedTuple):
    """One prediction that an application made; `label` is None where its arm failed.

    `image` names the image, of which the same one counts once; None is another one each time.
    """

    unit: str
    label: str | None
    milliseconds: float
    image: str | None


def check_reportable(running: Running) -> None:
    """Raise Conflict for an experiment whose arms must all see an image, which the gateway alone can have."""
    if running.paired:
        raise Conflict(
            f"Experiment {running.name!r} is paired: the gateway asks its arms itself. Report to one that is not."
        )


def exposure(running: Running, assignment: Assignment, reported: Reported, key: str) -> Exposure:
    """Return the exposure of a prediction by the assigned arm; `key` is its own."""
    failed, slow = reported.label is None, reported.milliseconds > running.slow_ms
    asked = Asked(
        assignment.arm, reported.milliseconds, failed, slow, shadow=False, case=failed or slow, new_call=True
    )  # fmt: skip
    return Exposure(
        id=key, experiment_id=running.id, phase=running.phase, epoch=running.epoch, unit=assignment.unit,
        assigned=assignment.arm, served=None if failed else assignment.arm, propensity=assignment.propensity,
        images=1, milliseconds=reported.milliseconds, failed=failed, at=time.time(), asked=(asked,),
    )  # fmt: skip


def prediction_id(
    secret: bytes, running: Running, made: Exposure, reported: Reported, version: int, client: int
) -> str:
    """Return the signed id of a reported prediction of `version`, by which its label is sent."""
    assert reported.label is not None and made.served is not None
    arm = made.assigned
    exposed = Exposed(running.id, running.phase, made.unit, arm, made.served, int(made.at), client)
    image = os.urandom(IMAGE_BYTES) if reported.image is None else reported.image.encode()
    images = [image_hash(secret, image)]
    [signed] = sign(secret, made.id, [reported.label], running.arms[arm], version, exposed, images)
    return signed
