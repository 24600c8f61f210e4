"""POST /experiments/{name}/exposures."""

from typing import Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field

from serving.gateway import errors
from serving.gateway.access.roles import security
from serving.gateway.errors import Conflict, Fault, Unprocessable, pointer
from serving.gateway.experiments import reported, routing
from serving.gateway.experiments.cache import Running, Snapshot
from serving.gateway.experiments.lifecycle import missing
from serving.gateway.experiments.reported import Reported
from serving.gateway.manifest import Manifest
from serving.gateway.store.clients import kind_of
from serving.gateway.web.answers import send
from serving.gateway.web.context import gateway, incoming
from serving.gateway.web.json_body import documented, read_json, schemas
from serving.gateway.web.parameters import UNIT_ID_LENGTH, NamedPath
from serving.gateway.web.predictions import new_key
from serving.gateway.web.problems import problems

MOST_ITEMS = 1000
A_DAY_MS = 86_400_000


class ReportedExposure(BaseModel):
    """A prediction that an application made for a unit, by the arm that the experiment gives the unit."""

    model_config = ConfigDict(extra="forbid")

    unit: str = Field(min_length=1, max_length=UNIT_ID_LENGTH, description="The unit: the flag's targetingKey")
    label: str | None = Field(None, max_length=200, description="The predicted class; null where the arm failed")
    milliseconds: float = Field(0.0, ge=0, le=A_DAY_MS, allow_inf_nan=False, description="The time that it took")
    variant: str | None = Field(
        None, max_length=200,
        description="The variant that predicted, as the flag gave it: the report does not count where the unit has "
        "another one by now, after new weights or a new version",
    )  # fmt: skip
    image: str | None = Field(
        None, max_length=200, description="A name of the image, such as a digest: the same image counts once"
    )


class ExposureReport(BaseModel):
    """Up to 1,000 predictions."""

    model_config = ConfigDict(extra="forbid")

    items: list[ReportedExposure] = Field(min_length=1, max_length=MOST_ITEMS)


class TakenExposure(BaseModel):
    """The fate of one prediction."""

    variant: str = Field(description="The variant of the unit's arm; the default one outside of the experiment")
    prediction_id: str | None = Field(
        description="The id for POST /feedback; null where the arm failed, the unit is not in the experiment, or its "
        "arm has another variant than the report"
    )


class ExposuresAnswer(BaseModel):
    """The fate of each of `items`, in their order."""

    items: list[TakenExposure]


blueprint = APIBlueprint("exposures", __name__, abp_tags=[Tag(name="experiments")])
blueprint.components_schemas.update(schemas(ExposureReport))


@blueprint.post(
    "/experiments/<name>/exposures", operation_id="report_exposures", security=security("exposures.report"),
    request_body=documented(ExposureReport), responses={200: ExposuresAnswer, **problems(
        errors.BadRequest, errors.Unauthorized, errors.Forbidden, errors.NotFound, errors.Conflict, errors.TooLarge,
        errors.UnsupportedMediaType, errors.Unprocessable, errors.Unavailable,
    )},
)  # fmt: skip
def report(path: NamedPath) -> Response:
    """Report predictions of an application that serves the arms of an experiment elsewhere."""
    services, items = gateway(), read_json(ExposureReport).items
    manifest, cache = services.manifest.current(), services.experiments.cache
    for number, item in enumerate(items):
        if item.label not in (None, *manifest.classes):
            place = pointer("items", number, "label")
            detail = f"There is no class {item.label!r}; there are {', '.join(manifest.classes)}"
            raise Unprocessable(f"{place}: {detail}.", [Fault(place, detail)])
    snapshot = cache.current()
    if routing.unsettled(snapshot, None, path.name) or snapshot.signing_key is None:
        snapshot = cache.refresh()
    running = _running(snapshot, path.name)
    return send({"items": [_taken(manifest, snapshot, running, item) for item in items]})


def _running(snapshot: Snapshot, name: str) -> Running:
    if name not in snapshot.names:
        raise missing(name, list(snapshot.names))
    running = snapshot.running.get(name)
    if running is None:
        raise Conflict(f"Experiment {name!r} is {snapshot.names[name]}; it takes exposures while it runs.")
    reported.check_reportable(running)
    return running


def _taken(manifest: Manifest, snapshot: Snapshot, running: Running, item: ReportedExposure) -> dict[str, Any]:
    """Record an exposure; return its variant and the id of its prediction."""
    assignment = running.split.assign(item.unit)
    if assignment is None:
        return {"variant": routing.default(manifest, snapshot).name, "prediction_id": None}
    variant, signed = running.arms[assignment.arm], None
    if item.variant not in (None, variant):
        return {"variant": variant, "prediction_id": None}
    given = Reported(item.unit, item.label, item.milliseconds, item.image)
    made = reported.exposure(running, assignment, given, new_key())
    gateway().experiments.recorder.record(made)
    if item.label is not None and snapshot.signing_key is not None:
        published, client = manifest.variant(variant), kind_of(incoming().headers)
        version = running.versions[assignment.arm] or (published.version if published else 0)
        signed = reported.prediction_id(snapshot.signing_key, running, made, given, version, client)
    return {"variant": variant, "prediction_id": signed}
