"""GET /variants."""

from pathlib import Path

from flask import Response, url_for
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, Field

from serving.gateway import training_run
from serving.gateway.errors import Unavailable
from serving.gateway.experiments.routing import default
from serving.gateway.manifest import ImageFormat, Variant
from serving.gateway.training_run import TrainingRun
from serving.gateway.views.study import report_file
from serving.gateway.web.answers import send
from serving.gateway.web.context import gateway
from serving.gateway.web.problems import problems

blueprint = APIBlueprint("variants", __name__, abp_tags=[Tag(name="variants")])


class Live(BaseModel):
    """A variant's state in the model server at this moment."""

    state: str = Field(description="TF Serving's state, AVAILABLE if it answers; UNREACHABLE without an answer")
    version: int | None = Field(description="The version that answers")
    detail: str = Field(description="Why it does not answer")


class LiveVariant(Variant):
    """A variant of the manifest and its live state."""

    live: Live


class VariantsAnswer(BaseModel):
    """The answer of GET /variants."""

    default: str = Field(description="The variant that answers requests that name none")
    image: ImageFormat
    classes: list[str]
    study: str | None = Field(description="The path of the study's report, if there is one")
    training: TrainingRun | None = Field(description="The run of the training job that has variants yet to publish")
    variants: list[LiveVariant]


@blueprint.get("/variants", operation_id="variants", responses={200: VariantsAnswer, **problems(Unavailable)})
def variants() -> Response:
    """List the variants, how they were trained and tested, and whether they answer."""
    services = gateway()
    manifest = services.manifest.current()
    states = services.model_server.states([variant.name for variant in manifest.variants])
    listed = [
        {**variant.model_dump(), "live": state._asdict()}
        for variant, state in zip(manifest.variants, states, strict=True)
    ]
    image = manifest.image.model_dump()
    answering = default(manifest, services.experiments.live.current()).name
    study = url_for("study.report") if report_file().is_file() else None
    run = training_run.read(Path(services.settings.models_dir), [variant.name for variant in manifest.variants])
    return send(
        {"default": answering, "image": image, "classes": manifest.classes, "study": study,
         "training": run and run.model_dump(mode="json"), "variants": listed}
    )  # fmt: skip
