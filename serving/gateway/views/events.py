"""GET /events: what webhooks tell, and whether it has arrived."""

from typing import Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, Field

from serving.gateway.access.roles import security
from serving.gateway.errors import Forbidden, Unauthorized, Unavailable
from serving.gateway.store import events
from serving.gateway.web.answers import send
from serving.gateway.web.context import gateway
from serving.gateway.web.experiment_answers import moment
from serving.gateway.web.problems import problems

MOST_SHOWN = 100


class Event(BaseModel):
    """An event, and its delivery."""

    id: str = Field(description="The `webhook-id` of its messages")
    type: str = Field(description="Such as experiment.verdict")
    timestamp: str
    data: dict[str, Any]
    state: str = Field(description="waiting, delivered or given_up")
    attempts: int
    error: str | None = Field(description="Of the last attempt")


class EventsAnswer(BaseModel):
    """The last events, the newest first."""

    delivers: bool = Field(description="Whether this gateway has a receiver of webhooks")
    events: list[Event]


blueprint = APIBlueprint("events", __name__, abp_tags=[Tag(name="experiments")])


@blueprint.get(
    "/events", operation_id="events", security=security("events.every"),
    responses={200: EventsAnswer, **problems(Unauthorized, Forbidden, Unavailable)},
)  # fmt: skip
def every() -> Response:
    """List the last events of a week, as webhooks tell them, and their delivery."""
    services = gateway()
    with services.experiments.store.read() as connection:
        latest = events.latest(connection, MOST_SHOWN)
    shown = [
        {"id": e.message, "type": e.type, "timestamp": moment(e.at), "data": e.data, "state": e.state,
         "attempts": e.attempts, "error": e.error}
        for e in latest
    ]  # fmt: skip
    return send({"delivers": bool(services.settings.webhook_url), "events": shown})
