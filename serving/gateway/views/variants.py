"""GET /variants."""

from flask import Response, url_for
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, Field

from serving.gateway import training_run
from serving.gateway.errors import Unavailable
from serving.gateway.experiments.routing import default
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.manifest import Variant
from serving.gateway.training_run import TrainingRun
from serving.gateway.views.study import report_file
from serving.gateway.web.answers import send
from serving.gateway.web.context import gateway
from serving.gateway.web.problems import problems

blueprint = APIBlueprint("variants", __name__, abp_tags=[Tag(name="variants")])


class LiveState(BaseModel):
    """The present state of a variant on the model server."""

    state: str = Field(description="TF Serving's state, AVAILABLE if it answers; UNREACHABLE if unknown")
    version: int | None = Field(description="The version that answers")
    detail: str = Field(description="The reason for not answering")


class LiveVariant(Variant):
    """A variant of the manifest and its live state."""

    live: LiveState


class VariantsAnswer(BaseModel):
    """The answer of GET /variants."""

    default: str = Field(description="The variant that answers requests without a name")
    image: ImageFormat
    classes: list[str]
    study: str | None = Field(description="The path of the report of a study of more variants, if there is one")
    training: TrainingRun | None = Field(description="The run of the training job that has variants yet to publish")
    variants: list[LiveVariant]


@blueprint.get("/variants", operation_id="variants", responses={200: VariantsAnswer, **problems(Unavailable)})
def variants() -> Response:
    """List the variants with their training, tests and present state."""
    services = gateway()
    manifest = services.manifest.current()
    states = services.event_loop.run(services.model_server.states([variant.name for variant in manifest.variants]))
    listed = [
        {**variant.model_dump(), "live": state._asdict()}
        for variant, state in zip(manifest.variants, states, strict=True)
    ]
    image = manifest.image.model_dump()
    answering = default(manifest, services.experiments.cache.current()).name
    study = url_for("study.report") if report_file().is_file() else None
    run = training_run.read(services.settings.models_dir, [variant.name for variant in manifest.variants])
    return send(
        {"default": answering, "image": image, "classes": manifest.classes, "study": study,
         "training": run and run.model_dump(mode="json"), "variants": listed}
    )  # fmt: skip
