"""The answers of the API: their documentation, and how they are sent."""

from typing import Any

from flask import Response
from pydantic import BaseModel, Field

from serving.gateway.web.replies import as_json

Probabilities = list[float]


class Prediction(BaseModel):
    """What one image shows."""

    id: str = Field(description="Names this prediction from now on")
    label: str = Field(description="The most probable class")
    confidence: float = Field(ge=0, le=1, description="The probability of that class")
    probabilities: Probabilities = Field(description="One a class, in the order of the manifest's classes")
    entropy: float | None = Field(None, description="Predictive entropy in nats; with `uncertainty=true`")
    mutual_information: float | None = Field(
        None, description="The part of the entropy, in nats, that is the model's own doubt; with `uncertainty=true`"
    )


class FallbackModel(BaseModel):
    """That the variant which should have answered did not, and another stood in for it."""

    instead_of: str = Field(
        description="The variant that should have answered; the header `X-Fallback-For` names it too"
    )
    reason: str = Field(description="Why it did not")


class PredictAnswer(BaseModel):
    """The answer of POST /predict."""

    request_id: str
    variant: str
    version: int
    experiment: str | None
    fallback: FallbackModel | None = Field(description="Null unless another variant had to stand in")
    predictions: list[Prediction]


class VariantPrediction(BaseModel):
    """What one variant says an image shows."""

    variant: str
    version: int
    label: str
    confidence: float = Field(ge=0, le=1)
    probabilities: Probabilities
    milliseconds: float = Field(description="How long the model server took for all images of the request")


class Comparison(BaseModel):
    """One image and what each variant says of it."""

    seen: str = Field(description="The pixels that the variants saw, as the data URL of a PNG image")
    agree: bool = Field(description="Whether all variants give the same label")
    variants: list[VariantPrediction]


class CompareAnswer(BaseModel):
    """The answer of POST /compare."""

    request_id: str
    results: list[Comparison]


def send(body: dict[str, Any]) -> Response:
    """Return `body`, in which arrays of numpy may be, as JSON."""
    return as_json(body).response()
