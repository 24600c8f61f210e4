"""POST /feedback, and GET /feedback/{prediction_id}."""

from typing import Annotated, Any, Literal

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models import tag
from pydantic import BaseModel, ConfigDict, Discriminator, Field, RootModel, Tag

from serving.gateway import errors
from serving.gateway.access import labellers
from serving.gateway.access.roles import security
from serving.gateway.errors import GatewayError
from serving.gateway.experiments import feedback as domain
from serving.gateway.experiments.feedback import FeedbackOutcome, FeedbackResult
from serving.gateway.web.answers import send
from serving.gateway.web.context import caller, gateway, incoming
from serving.gateway.web.experiment_answers import moment
from serving.gateway.web.json_body import documented, read_json, schemas
from serving.gateway.web.parameters import PredictionPath
from serving.gateway.web.problems import KINDS, problems

Source = Literal["user", "audit", "ground_truth"]

MOST_ITEMS = 1000
ONE, MANY = "<one>", "<many>"
STORED = {
    FeedbackOutcome.STORED: 201,
    FeedbackOutcome.REPLACED: 201,
    FeedbackOutcome.STORED_BEFORE: 200,
    FeedbackOutcome.KEPT: 200,
}
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
    label: str = Field(max_length=200, description="One of the classes, or 'unreadable': nobody can read the image")
    source: Source = Field(
        "user",
        description="Origin of the label: the person served, an auditor, or the truth as it became known. The last two "
        "need the administrators' token or a key of scope label",
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
    status: int = Field(
        description="201 stored, 200 stored before or kept, 401 no token, 403 another scope, 404 unknown, "
        "409 another label, 422 no such class"
    )
    detail: str
    kept: Source | None = Field(None, description="The source of higher rank whose label stays in force")


class FeedbackAnswers(BaseModel):
    """The result of each of `items`, in their order."""

    items: list[FeedbackAnswer]


class GivenLabel(BaseModel):
    """The label that one source gave."""

    source: Source
    label: str
    at: str
    key: str | None = Field(description="The id of the sender's key, `admin` for the administrators' token")


class LabelsAnswer(BaseModel):
    """The labels of a prediction; `label` and `source` are in force, null without any label."""

    prediction_id: str
    label: str | None
    source: Source | None
    labels: list[GivenLabel] = Field(description="One of each source, that of the highest rank first")


blueprint = APIBlueprint("feedback", __name__, abp_tags=[tag.Tag(name="predictions")])
blueprint.components_schemas.update(schemas(FeedbackRequest, FeedbackAnswers))


@blueprint.post(
    "/feedback",
    operation_id="feedback",
    security=security("feedback.feedback"),
    request_body=documented(FeedbackRequest),
    responses={
        200: {
            "description": "The label was stored before, or one of higher rank stays; or the answer to `items`",
            "content": {"application/json": {"schema": {"anyOf": [
                {"$ref": "#/components/schemas/FeedbackAnswer"}, {"$ref": "#/components/schemas/FeedbackAnswers"},
            ]}}},
        },
        201: FeedbackAnswer,
        **problems(
            errors.BadRequest, errors.Unauthorized, errors.Forbidden, errors.NotFound, errors.Conflict, errors.TooLarge,
            errors.UnsupportedMediaType, errors.Unprocessable, errors.Unavailable,
        ),
    },
)  # fmt: skip
def feedback() -> tuple[Response, int]:
    """Tell the true class of a prediction's image; an acknowledged label is stored."""
    body = read_json(FeedbackRequest).root
    if isinstance(body, FeedbackItems):
        results = zip(body.items, _record(body.items), strict=True)
        return send({"items": [_answer(item, result) for item, result in results]}), 200
    [result] = _record([body])
    if isinstance(result, GatewayError):
        raise result
    answer = _answer(body, result)
    return send(answer), answer["status"]


@blueprint.get(
    "/feedback/<prediction_id>", operation_id="labels", security=security("feedback.labels"),
    responses={200: LabelsAnswer, **problems(
        errors.Unauthorized, errors.Forbidden, errors.NotFound, errors.Unprocessable, errors.Unavailable
    )},
)  # fmt: skip
def labels(path: PredictionPath) -> Response:
    """List the labels of a prediction; that of the highest rank is in force."""
    with gateway().experiments.store.read() as connection:
        given = domain.history(connection, _secret(), path.prediction_id)
    if given is None:
        raise errors.NotFound(f"There is no prediction {path.prediction_id[:200]!r}; /predict answers with ids.")
    listed = [{"source": row.source, "label": row.label, "at": moment(row.at), "key": row.key} for row in given]
    in_force = {name: listed[0][name] if listed else None for name in ("label", "source")}
    return send({"prediction_id": path.prediction_id, **in_force, "labels": listed})


def _answer(item: FeedbackItem, result: FeedbackResult | GatewayError) -> dict[str, Any]:
    answer = {"prediction_id": item.prediction_id, "detail": result.detail}
    if isinstance(result, GatewayError):
        return {**answer, "status": KINDS[type(result)].status}
    return {**answer, "status": STORED[result.outcome], **({"kept": result.kept} if result.kept else {})}


def _record(items: list[FeedbackItem]) -> list[FeedbackResult | GatewayError]:
    """Store the labels that the sender may send; return for each item its result, or the error that it ends in."""
    refused = labellers.refusals({item.source for item in items}, incoming())
    if refused:
        gateway().admission.count_guess(incoming())
    results = iter(_store([item for item in items if item.source not in refused]))
    return [refused.get(item.source) or next(results) for item in items]


def _store(items: list[FeedbackItem]) -> list[FeedbackResult | GatewayError]:
    if not items:
        return []
    services = gateway()
    classes, secret = services.manifest.current().classes, _secret()
    given = [domain.Feedback(item.prediction_id, item.label, item.source) for item in items]
    with services.experiments.store.write() as connection:
        results = domain.record(connection, secret, classes, given, caller())
    return [REFUSED[each.outcome](each.detail) if each.outcome in REFUSED else each for each in results]


def _secret() -> bytes:
    """Return the key that signs the ids of predictions."""
    cache = gateway().experiments.cache
    secret = cache.current().signing_key or cache.refresh().signing_key
    assert secret is not None  # a store that answers has a key
    return secret
