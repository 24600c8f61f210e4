"""/ofrep: experiments as feature flags, by the OpenFeature Remote Evaluation Protocol."""

import hashlib
from typing import Any, Literal

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, Field

from serving.gateway import errors
from serving.gateway.access.roles import security
from serving.gateway.errors import BadRequest, Unprocessable
from serving.gateway.experiments import routing
from serving.gateway.experiments.cache import Snapshot
from serving.gateway.manifest import Manifest
from serving.gateway.web.answers import send
from serving.gateway.web.context import gateway
from serving.gateway.web.error_members import MISSING_KEY
from serving.gateway.web.json_body import documented, read_json, schemas
from serving.gateway.web.parameters import UNIT_ID_LENGTH, FlagPath, FlagsHeaders
from serving.gateway.web.problems import problems

LISTED = ("running", "paused", "stopped")  # the statuses of flags that are evaluated together

blueprint = APIBlueprint("flags", __name__, url_prefix="/ofrep/v1/evaluate", abp_tags=[Tag(name="feature flags")])


class FlagContext(BaseModel):
    """The context of an evaluation; other members are ignored."""

    targetingKey: str | None = Field(None, max_length=UNIT_ID_LENGTH, description="The unit, as in X-Unit-Id; required")


class FlagRequest(BaseModel):
    """A request to evaluate flags."""

    context: FlagContext | None = None


class FlagAnswer(BaseModel):
    """The arm that an experiment gives a unit."""

    key: str = Field(description="The experiment")
    reason: Literal["SPLIT", "DEFAULT", "DISABLED"] = Field(
        description="SPLIT: the unit is in the experiment; DEFAULT: it is not; DISABLED: the experiment does not run"
    )
    variant: str = Field(description="The variant that answers the unit")
    value: Any = Field(description="The value of its arm; else the name of the variant")


class FlagsAnswer(BaseModel):
    """The arms that all experiments give a unit."""

    flags: list[FlagAnswer]


OF_FLAGS = problems(
    errors.BadRequest, errors.Unauthorized, errors.Forbidden, errors.TooLarge, errors.UnsupportedMediaType,
    errors.TooManyRequests, errors.Unavailable,
)  # fmt: skip
blueprint.components_schemas.update(schemas(FlagRequest))


@blueprint.post(
    "/flags/<key>", operation_id="flag", security=security("flags.one"), request_body=documented(FlagRequest),
    responses={200: FlagAnswer, **OF_FLAGS, **problems(errors.NotFound)},
)  # fmt: skip
def one(path: FlagPath) -> Response:
    """Return the arm that an experiment gives a unit, without a prediction or an exposure."""
    unit, cache = _unit(), gateway().experiments.cache
    snapshot = cache.current()
    if routing.unsettled(snapshot, None, path.key):
        snapshot = cache.look_up()
    return send(evaluate(gateway().manifest.current(), snapshot, path.key, unit))


@blueprint.post(
    "/flags", operation_id="flags", security=security("flags.every"), request_body=documented(FlagRequest),
    responses={200: FlagsAnswer, 304: {"description": "All is as it was at the ETag of `If-None-Match`"}, **OF_FLAGS},
)  # fmt: skip
def every(header: FlagsHeaders) -> Response:
    """Return the arms that all experiments give a unit; drafts and archived ones are left out."""
    unit, snapshot, manifest = _unit(), gateway().experiments.cache.current(), gateway().manifest.current()
    snapshot.require()
    listed = [name for name, status in snapshot.names.items() if status in LISTED]
    answer = send({"flags": [evaluate(manifest, snapshot, name, unit) for name in listed]})
    answer.set_etag(hashlib.blake2b(answer.data, digest_size=16).hexdigest())
    if request.if_none_match.contains_weak(answer.get_etag()[0] or ""):
        answer.status_code, answer.data = 304, b""
    return answer


def evaluate(manifest: Manifest, snapshot: Snapshot, name: str, unit: str) -> dict[str, Any]:
    """Return the arm that /predict?experiment=NAME would choose for a unit; raise NotFound."""
    choice = routing.choose(manifest, snapshot, None, name, unit)
    flag = snapshot.flags[name]
    if isinstance(choice, routing.ArmChoice):
        arm = choice.assignment.arm
        return {"key": name, "reason": "SPLIT", "variant": flag.variants[arm], "value": flag.values[arm]}
    reason = "DEFAULT" if name in snapshot.running else "DISABLED"
    return {"key": name, "reason": reason, "variant": choice.name, "value": flag.value_of(choice.name)}


def _unit() -> str:
    """Return the unit of a request; raise BadRequest, since the protocol knows no 422."""
    try:
        context = read_json(FlagRequest).context
    except Unprocessable as error:
        raise BadRequest(error.detail, error.faults) from error
    if context is None or not context.targetingKey:
        raise BadRequest(f"{MISSING_KEY.pointer}: {MISSING_KEY.detail}: it names the unit.", [MISSING_KEY])
    return context.targetingKey
