"""POST /feedback."""

from typing import Annotated, Any, Literal

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models import tag
from pydantic import BaseModel, ConfigDict, Discriminator, Field, RootModel, Tag

from serving.gateway import errors
from serving.gateway.experiments import feedback as domain
from serving.gateway.experiments.feedback import FeedbackOutcome, FeedbackResult
from serving.gateway.web.answers import send
from serving.gateway.web.context import gateway
from serving.gateway.web.json_body import documented, read_json, schemas
from serving.gateway.web.problems import KINDS, problems

MOST_ITEMS = 1000
ONE, MANY = "<one>", "<many>"
STORED = {FeedbackOutcome.STORED: 201, FeedbackOutcome.STORED_BEFORE: 200}
REFUSED = {
    FeedbackOutcome.UNKNOWN_PREDICTION: errors.NotFound,
    FeedbackOutcome.UNKNOWN_CLASS: errors.Unprocessable,
    FeedbackOutcome.OTHER_LABEL: errors.Conflict,
    FeedbackOutcome.ARCHIVED: errors.Conflict,
}


class FeedbackItem(BaseModel):
    """The true class of a prediction's image."""

    model_config = ConfigDict(extra="forbid")

    prediction_id: str = Field(min_length=1, max_length=4000)
    label: str = Field(max_length=200, description="One of the classes")
    source: Literal["user", "audit", "ground_truth"] = Field(
        "user", description="Origin of the label: the person served, an auditor, or the truth as it became known"
    )


class FeedbackItems(BaseModel):
    """Feedback on up to 1,000 predictions."""

    model_config = ConfigDict(extra="forbid")

    items: list[FeedbackItem] = Field(min_length=1, max_length=MOST_ITEMS)


def _kind(body: object) -> str:
    return MANY if isinstance(body, FeedbackItems) or (isinstance(body, dict) and "items" in body) else ONE


Either = Annotated[Annotated[FeedbackItem, Tag(ONE)] | Annotated[FeedbackItems, Tag(MANY)], Discriminator(_kind)]


class FeedbackRequest(RootModel[Either]):
    """One piece of feedback, or `items` with up to 1,000."""


class FeedbackAnswer(BaseModel):
    """The result of one piece of feedback; `status` is that of the answer to it alone."""

    prediction_id: str
    status: int = Field(description="201 stored, 200 stored before, 404 unknown, 409 another label, 422 no such class")
    detail: str


class FeedbackAnswers(BaseModel):
    """The result of each of `items`, in their order."""

    items: list[FeedbackAnswer]


blueprint = APIBlueprint("feedback", __name__, abp_tags=[tag.Tag(name="predictions")])
blueprint.components_schemas.update(schemas(FeedbackRequest, FeedbackAnswers))


@blueprint.post(
    "/feedback",
    operation_id="feedback",
    request_body=documented(FeedbackRequest),
    responses={
        200: {
            "description": "The label was stored before; or the answer to `items`",
            "content": {"application/json": {"schema": {"anyOf": [
                {"$ref": "#/components/schemas/FeedbackAnswer"}, {"$ref": "#/components/schemas/FeedbackAnswers"},
            ]}}},
        },
        201: FeedbackAnswer,
        **problems(
            errors.BadRequest, errors.NotFound, errors.Conflict, errors.TooLarge, errors.UnsupportedMediaType,
            errors.Unprocessable, errors.Unavailable,
        ),
    },
)  # fmt: skip
def feedback() -> tuple[Response, int]:
    """Tell the true class of a prediction's image; an acknowledged label is stored."""
    body = read_json(FeedbackRequest).root
    if isinstance(body, FeedbackItems):
        results = _record(body.items)
        return send({"items": [_answer(*each) for each in zip(body.items, results, strict=True)]}), 200
    [result] = _record([body])
    if refusal := REFUSED.get(result.outcome):
        raise refusal(result.detail)
    return send(_answer(body, result)), STORED[result.outcome]


def _answer(item: FeedbackItem, result: FeedbackResult) -> dict[str, Any]:
    refusal = REFUSED.get(result.outcome)
    status = KINDS[refusal].status if refusal else STORED[result.outcome]
    return {"prediction_id": item.prediction_id, "status": status, "detail": result.detail}


def _record(items: list[FeedbackItem]) -> list[FeedbackResult]:
    services = gateway()
    classes = services.manifest.current().classes
    secret = services.experiments.cache.current().signing_key or services.experiments.cache.refresh().signing_key
    assert secret is not None  # a store that answers has a key
    given = [domain.Feedback(item.prediction_id, item.label, item.source) for item in items]
    with services.experiments.store.write() as connection:
        return domain.record(connection, secret, classes, given)
