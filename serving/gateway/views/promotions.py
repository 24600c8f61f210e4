"""POST /variants/{name}/promote, POST /variants/rollback and GET /variants/promotions."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, Field
from sqlalchemy import Connection, Row

from serving.gateway.access.roles import security
from serving.gateway.errors import Conflict, Forbidden, Unauthorized, Unavailable
from serving.gateway.experiments import hold_back, lifecycle
from serving.gateway.experiments.evidence import report
from serving.gateway.experiments.routing import named
from serving.gateway.manifest import Name
from serving.gateway.store import promotions
from serving.gateway.store.experiments import UNDER_WAY, find_with_hold_backs, log
from serving.gateway.store.store import hold
from serving.gateway.views.experiments import OF_CHANGES, Action
from serving.gateway.web.answers import send
from serving.gateway.web.context import caller, gateway
from serving.gateway.web.experiment_answers import KEY, moment
from serving.gateway.web.json_body import documented, read_json, schemas
from serving.gateway.web.parameters import NamedPath
from serving.gateway.web.problems import problems

MOST_SHOWN = 50
Body = TypeVar("Body", bound="Promotion")


class Promotion(Action):
    """The author of a new default variant, the reason, and the expected revision."""

    expected_revision: int | None = Field(
        None, ge=0, description="The revision from GET /variants/promotions; another one in between is a conflict"
    )


class NewDefault(Promotion):
    """The author of a new default variant, the reason, the expected revision, and the experiment that it won."""

    experiment: Name | None = Field(
        None, description="The experiment that it won, which stops, and whose hold-back begins"
    )


class PromotionEntry(BaseModel):
    """A change of the default variant."""

    revision: int
    variant: str | None = Field(description="The new default; null is the manifest's own")
    action: str = Field(description="promote or rollback")
    who: str = Field(description="The author, as the caller says")
    key: str | None = Field(description=KEY)
    reason: str | None
    at: str


class PromotionsAnswer(BaseModel):
    """The default variant, and its history."""

    default: str
    revision: int
    promotions: list[PromotionEntry] = Field(description="The newest first")


blueprint = APIBlueprint("promotions", __name__, abp_tags=[Tag(name="variants")])
blueprint.components_schemas.update(schemas(Promotion, NewDefault))


@blueprint.get(
    "/variants/promotions", operation_id="promotions", security=security("promotions.every"),
    responses={200: PromotionsAnswer, **problems(Unauthorized, Forbidden, Unavailable)},
)  # fmt: skip
def every() -> Response:
    """Show the default variant and its history."""
    with gateway().experiments.store.read() as connection:
        return _shown(promotions.latest(connection, MOST_SHOWN))


@blueprint.post(
    "/variants/<name>/promote", operation_id="promote", security=security("promotions.promote"),
    request_body=documented(NewDefault, optional=True), responses={200: PromotionsAnswer, **OF_CHANGES},
)  # fmt: skip
def promote(path: NamedPath) -> Response:
    """Make a variant the default; one that was promoted last stays so, and nothing changes."""
    manifest = gateway().manifest.current()
    named(manifest, path.name)

    def change(connection: Connection, body: NewDefault) -> None:
        won = lifecycle.find(connection, body.experiment) if body.experiment else None
        if won:
            hold_back.check(connection, won, path.name, manifest)
        now = promotions.current(connection)
        if now and now.variant == path.name:  # else its hold-back would end, and a rollback return to itself
            return
        of = {"experiment": won.name} if won else {}
        promotions.promote(connection, path.name, body.by, body.reason, caller(), **of)
        if won and won.status in UNDER_WAY:  # else it would go on answering its units, control's too
            lifecycle.step(connection, won.name, "stop", body.act, report(connection, won)["decision"])
        hold_back.end(connection, f"{path.name} is the default variant now.")
        if won:
            hold_back.begin(connection, won, path.name, manifest)
        log(connection, body.by, "promote", path.name, body.reason, caller())

    return _change(NewDefault, change)


@blueprint.post(
    "/variants/rollback", operation_id="rollback", security=security("promotions.rollback"),
    request_body=documented(Promotion, optional=True), responses={200: PromotionsAnswer, **OF_CHANGES},
)  # fmt: skip
def rollback() -> Response:
    """Return to the default variant before the present one."""

    def change(connection: Connection, body: Promotion) -> None:
        before = promotions.current(connection)
        if before is None or not promotions.roll_back(connection, body.by, body.reason, caller()):
            raise Conflict("No promotion is in force, so there is nothing to roll back.")
        hold_back.end(connection, "The promotion was rolled back.")
        log(connection, body.by, "rollback", before.variant or "", body.reason, caller())

    return _change(Promotion, change)


def _change(read: type[Body], change: Callable[[Connection, Body], None]) -> Response:
    body = read_json(read, optional=True)
    services = gateway()
    with services.experiments.store.write() as connection:
        find_with_hold_backs(connection, body.experiment if isinstance(body, NewDefault) else None)
        hold(connection)
        now = promotions.current(connection)
        revision = now.id if now else 0
        if body.expected_revision not in (None, revision):
            raise Conflict(f"The default is at revision {revision}, not {body.expected_revision}; look again first.")
        change(connection, body)
        latest = promotions.latest(connection, MOST_SHOWN)  # here: an answer that fails would have it done again
    services.experiments.cache.try_refresh()
    return _shown(latest)


def _shown(latest: Sequence[Row]) -> Response:
    services, now = gateway(), latest[0].variant if latest else None
    listed: list[dict[str, Any]] = [
        {"revision": p.id, "variant": p.variant, "action": p.action, "who": p.who, "key": p.key,
         "reason": p.reason, "at": moment(p.at)}
        for p in latest
    ]  # fmt: skip
    answering = services.manifest.current().default_variant(now).name
    return send({"default": answering, "revision": latest[0].id if latest else 0, "promotions": listed})
