"""GET /experiments/{name}/report and /experiments/{name}/disagreements."""

from typing import Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, Field

from serving.gateway.access.roles import security
from serving.gateway.errors import Forbidden, NotFound, Unauthorized, Unavailable
from serving.gateway.experiments import evidence, lifecycle
from serving.gateway.experiments.breakdown import breakdown as where_arms_differ
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.pictures import data_url
from serving.gateway.store import images, interim_results
from serving.gateway.web.answers import send
from serving.gateway.web.context import gateway
from serving.gateway.web.experiment_answers import moment
from serving.gateway.web.parameters import NamedPath, QueueQuery
from serving.gateway.web.problems import problems


class InterimResult(BaseModel):
    """The comparisons at one number of labels."""

    at: str
    labelled: int
    comparisons: list[dict[str, Any]] = Field(description="Of each comparison: variant, diff, cs, e_value and firsts")


class ReportAnswer(BaseModel):
    """The counts of an experiment, the evidence, and the recommendation."""

    experiment: str
    phase: int
    status: str
    as_of: str
    design: str = Field(description="paired or unpaired")
    versions: dict[str, int | None] = Field(description="The version of each arm that the evidence is on")
    checks: dict[str, dict[str, Any]] = Field(
        description="Health of the experiment: split, label rate, fair sample of labels, stand-ins"
    )
    counts: dict[str, int]
    arms: list[dict[str, Any]]
    comparisons: list[dict[str, Any]] = Field(description="Each variant against control, valid at every moment")
    guardrails: list[dict[str, Any]]
    notes: list[str]
    labels: dict[str, int] = Field(description="Number of labels from each source")
    history: list[InterimResult] = Field(description="The course of these comparisons, the oldest first")
    verdict: dict[str, Any] | None = Field(description="The first verdict, which stands")
    overturned: str | None = Field(description="How later labels overturn that verdict; null where they do not")
    regression: dict[str, Any] | None = Field(None, description="Of a hold-back: the evidence against the promotion")
    decision: dict[str, Any] = Field(description="The recommendation, and its reasons")
    maturity: dict[str, Any] = Field(
        description="Delays of labels, share labelled by age of exposure, labels expected, and what a verdict waits for"
    )


class ArmAnswer(BaseModel):
    """The answer of one arm to an image."""

    variant: str
    label: str
    confidence: float


class Disagreement(BaseModel):
    """An image to label."""

    prediction_id: str = Field(description="The id for POST /feedback")
    seen: str = Field(description="The pixels that the variants saw, as the data URL of a PNG image")
    answers: list[ArmAnswer]


class DisagreementsAnswer(BaseModel):
    """Images on which the arms disagree, without a trusted label, in random order, the same for everybody."""

    experiment: str
    waiting: int = Field(description="Number of such images in all")
    disagreements: list[Disagreement]


class BreakdownAnswer(BaseModel):
    """Where the arms differ, by true and predicted class, confidence, source of the label and kind of client."""

    experiment: str
    design: str = Field(description="paired or unpaired")
    exploratory: bool = Field(description="Always true: a breakdown decides nothing")
    note: str
    tests: int = Field(description="The rows that `p_holm` is corrected for")
    rows: list[dict[str, Any]] = Field(
        description="For each dimension, value and variant: counts, difference in accuracy, p_anytime and p_holm"
    )


blueprint = APIBlueprint("reports", __name__, abp_tags=[Tag(name="experiments")])


@blueprint.get(
    "/experiments/<name>/report", operation_id="report", security=security("reports.report"),
    responses={200: ReportAnswer, **problems(Unauthorized, Forbidden, NotFound, Unavailable)},
)  # fmt: skip
def report(path: NamedPath) -> Response:
    """Report on an experiment; the evidence stays valid however often it is read."""
    with gateway().experiments.store.read() as connection:
        found = lifecycle.find(connection, path.name)
        history = [
            {"at": moment(each.at), "labelled": each.labelled, "comparisons": each.comparisons}
            for each in interim_results.present(connection, found.id)
        ]
        built = evidence.report(connection, found)
        built["counts"]["waiting"] = images.count_queued(connection, found.id)
        return send({**built, "history": history})


@blueprint.get(
    "/experiments/<name>/breakdown", operation_id="breakdown", security=security("reports.breakdown"),
    responses={200: BreakdownAnswer, **problems(Unauthorized, Forbidden, NotFound, Unavailable)},
)  # fmt: skip
def breakdown(path: NamedPath) -> Response:
    """Tell where the arms differ; exploratory, and it decides nothing."""
    with gateway().experiments.store.read() as connection:
        return send(where_arms_differ(connection, lifecycle.find(connection, path.name)))


@blueprint.get(
    "/experiments/<name>/disagreements", operation_id="disagreements", security=security("reports.disagreements"),
    responses={200: DisagreementsAnswer, **problems(Unauthorized, Forbidden, NotFound, Unavailable)},
)  # fmt: skip
def disagreements(path: NamedPath, query: QueueQuery) -> Response:
    """List images that want a label, in random order, the same for everybody; any choice would sway the verdict."""
    framed = gateway().manifest.current().image
    with gateway().experiments.store.read() as connection:
        found = lifecycle.find(connection, path.name)
        if found.status == "archived":  # takes no labels
            return send({"experiment": path.name, "waiting": 0, "disagreements": []})
        waiting = images.count_queued(connection, found.id)
        queued = images.queued(connection, found.id, query.limit)
    variants = ExperimentSpec.model_validate(found.spec).variants
    shown = [_disagreement(row, variants, framed) for row in queued if len(row.pixels) == framed.pixels]
    return send({"experiment": path.name, "waiting": waiting, "disagreements": shown})


def _disagreement(row: Any, variants: list[str], image: ImageFormat) -> dict[str, Any]:
    answers = [
        {"variant": variant, "label": answer[0], "confidence": answer[1]}
        for variant, answer in zip(variants, row.answers, strict=True)
        if answer is not None
    ]
    return {"prediction_id": row.prediction_id, "seen": data_url(row.pixels, image), "answers": answers}
