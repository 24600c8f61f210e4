"""GET /learning and POST /learning/forget."""

from collections import Counter
from typing import Self

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field, model_validator

from serving.gateway.access.roles import security
from serving.gateway.errors import Forbidden, Unauthorized, Unavailable
from serving.gateway.learning.forgetting import forget_prediction, forget_unit
from serving.gateway.store import kept
from serving.gateway.store.experiments import log
from serving.gateway.views.experiments import OF_CHANGES
from serving.gateway.web.answers import send
from serving.gateway.web.context import caller, gateway
from serving.gateway.web.json_body import documented, read_json, schemas
from serving.gateway.web.parameters import UNIT_ID_LENGTH
from serving.gateway.web.problems import problems


class LearningAnswer(BaseModel):
    """The images that are kept to learn from."""

    most: int = Field(description="GATEWAY_KEEP_LABELLED; 0 keeps none")
    waiting: int = Field(description="Images that wait for a label")
    labelled: int
    units: int = Field(description="Units that the labelled images come from")
    labels: dict[str, int] = Field(description="Labelled images by their label")
    sources: dict[str, int] = Field(description="Labelled images by the source of their label")


class ForgetRequest(BaseModel):
    """The prediction, or the unit, whose images and labels are to go; one of the two."""

    model_config = ConfigDict(extra="forbid")

    prediction_id: str | None = Field(
        None, min_length=1, max_length=4000, description="An id of POST /predict, or a prediction as image sets name it"
    )
    unit: str | None = Field(None, min_length=1, max_length=UNIT_ID_LENGTH, description="What X-Unit-Id said")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.prediction_id is None) == (self.unit is None):
            raise ValueError("give either prediction_id or unit")
        return self


SETS = "Run make labels or make forget where image sets lie: either deletes those that have a deleted image."


class ForgetAnswer(BaseModel):
    """The numbers of images and labels that were deleted."""

    images: int
    labels: int
    image_sets: str = Field(SETS, description="How image sets on disk that have such an image go")


blueprint = APIBlueprint("learning", __name__, abp_tags=[Tag(name="learning")])
blueprint.components_schemas.update(schemas(ForgetRequest))


@blueprint.get(
    "/learning", operation_id="learning", security=security("learning.summary"),
    responses={200: LearningAnswer, **problems(Unauthorized, Forbidden, Unavailable)},
)  # fmt: skip
def summary() -> Response:
    """Count the images that are kept to learn from."""
    services = gateway()
    with services.experiments.store.read() as connection:
        (rows, units), waiting = kept.count_labelled(connection), kept.count_waiting(connection)
    labels, sources = Counter[str](), Counter[str]()
    for label, source, number in rows:
        labels[label] += number
        sources[source] += number
    return send(
        {
            "most": services.settings.keep_labelled,
            "waiting": waiting,
            "labelled": labels.total(),
            "units": units,
            "labels": labels,
            "sources": sources,
        }
    )


@blueprint.post(
    "/learning/forget", operation_id="forget", security=security("learning.forget"),
    request_body=documented(ForgetRequest),
    responses={200: ForgetAnswer, **OF_CHANGES},
)  # fmt: skip
def forget() -> Response:
    """Delete the images and labels of a prediction or of a unit; counts of experiments stay.

    What experiments count keeps each image's keyed hash, answers and label, without pixels. A unit's rows get a random
    name, which leads to nobody; a prediction's keep the unit's name in the experiment. Image sets on disk are out of
    the gateway's reach: the next `make labels` or `make forget` deletes those that have such an image.
    """
    body = read_json(ForgetRequest)
    with gateway().experiments.store.write() as connection:
        if body.prediction_id is not None:
            done = forget_prediction(connection, body.prediction_id)
        else:
            done = forget_unit(connection, body.unit or "")
        # The log must not keep what was to be forgotten.
        log(connection, "admin", "forget", "", f"{done.images} images and {done.labels} labels", caller())
    return send({**done._asdict(), "image_sets": SETS})
