"""Document and send the answers of the API."""

from typing import Annotated, Any

from flask import Response
from pydantic import BaseModel, Field

from serving.gateway.imaging.raster import Place
from serving.gateway.web.replies import as_json

Probabilities = list[float]


Familiarity = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        description="The share of held-out training images that are less like the training images of their class; "
        "low for images unlike any digit and for doubtful answers. Null for models exported without it",
    ),
]


class BoxModel(BaseModel):
    """A part of an upright picture, in its pixels from the top left."""

    x: int
    y: int
    width: int
    height: int


class PlaceModel(BaseModel):
    """The place of a digit in the request; both members are there with `split=true` only."""

    image: int | None = Field(None, description="The number of its picture in the request, from 0")
    box: BoxModel | None = Field(None, description="Its box there; null for pixels, which are taken as they are")


def as_members(place: Place) -> dict[str, Any]:
    """Return a digit's place as members of its answer."""
    return {"image": place.image, "box": place.box and place.box._asdict()}


class ImagePrediction(PlaceModel):
    """The prediction for one image."""

    id: str = Field(description="The id of this prediction, for POST /feedback")
    label: str = Field(description="The most probable class")
    confidence: float = Field(ge=0, le=1, description="The probability of that class")
    familiarity: Familiarity
    probabilities: Probabilities = Field(description="One a class, in the order of the manifest's classes")
    entropy: float | None = Field(None, description="Predictive entropy in nats; with `uncertainty=true`")
    mutual_information: float | None = Field(
        None, description="The part of the entropy, in nats, due to the model's own doubt; with `uncertainty=true`"
    )


class FallbackModel(BaseModel):
    """The fallback of a variant that failed to answer."""

    instead_of: str = Field(description="The variant that failed to answer; also in the header `X-Fallback-For`")
    reason: str = Field(description="The reason of its failure")


class PredictAnswer(BaseModel):
    """The answer of POST /predict."""

    request_id: str
    variant: str
    version: int
    experiment: str | None
    fallback: FallbackModel | None = Field(description="Null unless another variant answered instead")
    predictions: list[ImagePrediction]


class VariantPrediction(BaseModel):
    """The prediction of one variant for an image."""

    variant: str
    version: int
    label: str
    confidence: float = Field(ge=0, le=1)
    familiarity: Familiarity
    probabilities: Probabilities
    milliseconds: float = Field(description="The model server's time for all images of the request")


class ComparedImage(PlaceModel):
    """One image and the predictions of each variant."""

    seen: str = Field(description="The pixels that the variants saw, as the data URL of a PNG image")
    agree: bool = Field(description="Whether all variants give the same label")
    variants: list[VariantPrediction]


class CompareAnswer(BaseModel):
    """The answer of POST /compare."""

    request_id: str
    results: list[ComparedImage]


def send(body: dict[str, Any]) -> Response:
    """Return `body`, which may hold NumPy arrays, as JSON."""
    return as_json(body).response()
