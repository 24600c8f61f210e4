"""POST /feedback."""

from typing import Annotated, Literal

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models import tag
from pydantic import BaseModel, ConfigDict, Discriminator, Field, RootModel, Tag

from serving.gateway import errors
from serving.gateway.experiments.labelling import Given, Taken, take
from serving.gateway.experiments.live import Snapshot
from serving.gateway.web.answers import send
from serving.gateway.web.context import gateway
from serving.gateway.web.json_body import documented, read_json, schemas
from serving.gateway.web.problems import problems

MOST_ITEMS = 1000
ONE, MANY = "<one>", "<many>"
REFUSALS = {404: errors.NotFound, 409: errors.Conflict, 422: errors.Unprocessable}


class FeedbackItem(BaseModel):
    """What the image of a prediction really shows."""

    model_config = ConfigDict(extra="forbid")

    prediction_id: str = Field(min_length=1, max_length=4000)
    label: str = Field(max_length=200, description="One of the classes")
    source: Literal["user", "audit", "ground_truth"] = Field(
        "user", description="Who says so: whoever was served, somebody who looked at it, or the truth that became known"
    )


class FeedbackItems(BaseModel):
    """Many of them."""

    model_config = ConfigDict(extra="forbid")

    items: list[FeedbackItem] = Field(min_length=1, max_length=MOST_ITEMS)


def _kind(body: object) -> str:
    return MANY if isinstance(body, FeedbackItems) or (isinstance(body, dict) and "items" in body) else ONE


Either = Annotated[Annotated[FeedbackItem, Tag(ONE)] | Annotated[FeedbackItems, Tag(MANY)], Discriminator(_kind)]


class Feedback(RootModel[Either]):
    """One piece of feedback, or `items` with up to 1,000."""


class FeedbackAnswer(BaseModel):
    """What became of one piece of feedback: the status that it alone would have been answered with."""

    prediction_id: str
    status: int = Field(description="201 stored, 200 stored before, 404 unknown, 409 another label, 422 no such class")
    detail: str


class FeedbackAnswers(BaseModel):
    """What became of each of `items`, in their order."""

    items: list[FeedbackAnswer]


blueprint = APIBlueprint("feedback", __name__, abp_tags=[tag.Tag(name="predictions")])
blueprint.components_schemas.update(schemas(Feedback, FeedbackAnswers))


@blueprint.post(
    "/feedback",
    operation_id="feedback",
    request_body=documented(Feedback),
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
    """Say what the image of a prediction really shows; what is acknowledged is stored."""
    body = read_json(Feedback).root
    items = body.items if isinstance(body, FeedbackItems) else [body]
    answers = [
        {"prediction_id": item.prediction_id, **taken._asdict()}
        for item, taken in zip(items, _take(items), strict=True)
    ]
    if isinstance(body, FeedbackItems):
        return send({"items": answers}), 200
    [answer] = answers
    if refusal := REFUSALS.get(answer["status"]):
        raise refusal(answer["detail"])
    return send(answer), answer["status"]


def _take(items: list[FeedbackItem]) -> list[Taken]:
    services = gateway()
    classes = services.manifest.current().classes
    snapshot: Snapshot = services.experiments.live.current()
    secret = snapshot.signing_key or services.experiments.live.refresh().signing_key
    assert secret is not None  # a store that answers has a key
    given = [Given(item.prediction_id, item.label, item.source) for item in items]
    with services.experiments.store.write() as connection:
        return take(connection, secret, classes, given)
