"""GET /experiments/{name}/report and /experiments/{name}/disagreements."""

from typing import Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, Field

from serving.gateway.errors import NotFound, Unavailable
from serving.gateway.experiments import evidence, lifecycle
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.imaging.pictures import data_url
from serving.gateway.manifest import ImageFormat
from serving.gateway.store import interim_results, shadows
from serving.gateway.web.answers import send
from serving.gateway.web.context import gateway
from serving.gateway.web.experiment_answers import moment
from serving.gateway.web.parameters import NamedPath, QueueQuery
from serving.gateway.web.problems import problems


class Look(BaseModel):
    """What the comparisons said when so many labels were in."""

    at: str
    labelled: int
    comparisons: list[dict[str, Any]] = Field(description="Of each comparison: variant, diff, cs and e_value")


class ReportAnswer(BaseModel):
    """What was counted, what it says, and what to do."""

    experiment: str
    phase: int
    status: str
    as_of: str
    design: str = Field(description="paired or unpaired")
    checks: dict[str, dict[str, Any]] = Field(description="Whether the figures can be trusted: split and label rate")
    counts: dict[str, int]
    arms: list[dict[str, Any]]
    comparisons: list[dict[str, Any]] = Field(description="Each variant against control, valid at every moment")
    guardrails: list[dict[str, Any]]
    notes: list[str]
    labels: dict[str, int] = Field(description="How many came from each source")
    history: list[Look] = Field(description="How the comparisons have moved, the first look first")
    verdict: dict[str, Any] | None = Field(description="The first verdict that the evidence was enough for; it stands")
    decision: dict[str, Any] = Field(description="What to do now, and why")


class ArmAnswer(BaseModel):
    """What one arm says of an image."""

    variant: str
    label: str
    confidence: float


class Disagreement(BaseModel):
    """An image that wants a label."""

    prediction_id: str = Field(description="What to name in POST /feedback")
    seen: str = Field(description="The pixels that the variants saw, as the data URL of a PNG image")
    answers: list[ArmAnswer]


class DisagreementsAnswer(BaseModel):
    """Unlabelled images on which the arms disagree; those come first of which every arm is sure."""

    experiment: str
    waiting: int = Field(description="How many there are in all")
    disagreements: list[Disagreement]


blueprint = APIBlueprint("reports", __name__, abp_tags=[Tag(name="experiments")])


@blueprint.get(
    "/experiments/<name>/report", operation_id="report",
    responses={200: ReportAnswer, **problems(NotFound, Unavailable)},
)  # fmt: skip
def report(path: NamedPath) -> Response:
    """Say what an experiment has shown until now; it may be looked at as often as wanted."""
    with gateway().experiments.store.read() as connection:
        found = lifecycle.find(connection, path.name)
        history = [
            {"at": moment(look.at), "labelled": look.labelled, "comparisons": look.comparisons}
            for look in interim_results.of_experiment(connection, found.id)
        ]
        return send({**evidence.report(connection, found), "history": history})


@blueprint.get(
    "/experiments/<name>/disagreements", operation_id="disagreements",
    responses={200: DisagreementsAnswer, **problems(NotFound, Unavailable)},
)  # fmt: skip
def disagreements(path: NamedPath, query: QueueQuery) -> Response:
    """List the images whose labels would tell most."""
    image = gateway().manifest.current().image
    with gateway().experiments.store.read() as connection:
        found = lifecycle.find(connection, path.name)
        if found.status == "archived":  # it takes no labels
            return send({"experiment": path.name, "waiting": 0, "disagreements": []})
        waiting = shadows.count_queued(connection, found.id)
        queued = shadows.queued(connection, found.id, query.limit)
    variants = ExperimentSpec.model_validate(found.spec).variants
    shown = [_disagreement(row, variants, image) for row in queued if len(row.pixels) == image.pixels]
    return send({"experiment": path.name, "waiting": waiting, "disagreements": shown})


def _disagreement(row: Any, variants: list[str], image: ImageFormat) -> dict[str, Any]:
    answers = [
        {"variant": variant, "label": label, "confidence": confidence}
        for variant, (label, confidence) in zip(variants, row.answers, strict=True)
    ]
    return {"prediction_id": row.prediction_id, "seen": data_url(row.pixels, image), "answers": answers}
