"""/v2: the Open Inference Protocol, REST, with the binary extension."""

from typing import Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel

from serving.gateway.access.roles import security
from serving.gateway.errors import NotFound, NotLoaded, Unavailable, pointer
from serving.gateway.experiments.routing import default, named
from serving.gateway.imaging.uploads import Effort
from serving.gateway.inference.tf_serving.client import AVAILABLE
from serving.gateway.manifest import Manifest, Variant
from serving.gateway.settings import Settings
from serving.gateway.web import predictions
from serving.gateway.web.answers import send
from serving.gateway.web.bodies import BINARY, JSON, RAW
from serving.gateway.web.context import gateway
from serving.gateway.web.infer_reply import InferAnswer, ModelMetadata, infer_reply, known_outputs, metadata
from serving.gateway.web.infer_request import InferRequest, read_infer
from serving.gateway.web.json_body import schemas
from serving.gateway.web.parameters import InferHeaders, InferQuery, ModelPath, VersionPath, read_query
from serving.gateway.web.prediction_protocol import Asked, Protocol, Received
from serving.gateway.web.problems import OF_PREDICTIONS, problems
from serving.gateway.web.request import Request

ANY = "any-variant"  # the model that stands for all: experiments and the default choose. No variant's name has a hyphen

blueprint = APIBlueprint("open_inference", __name__, url_prefix="/v2", abp_tags=[Tag(name="open inference protocol")])
blueprint.components_schemas.update(schemas(InferRequest))


class ServerMetadata(BaseModel):
    """The metadata of the server."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Whether the server is alive."""

    live: bool


class Ready(BaseModel):
    """Whether the server, or a model, is ready; a problem says why not."""

    name: str | None = None
    ready: bool


DOCUMENTED: dict[str, Any] = {
    "required": True,
    "content": {
        JSON: {"schema": {"$ref": f"#/components/schemas/{InferRequest.__name__}"}},
        RAW: {"schema": {**BINARY, "description": "An InferRequest as JSON, and the bytes of its input behind it"}},
    },
}
OF_INFER: dict[str | int, Any] = {
    200: {
        "description": "The outputs of the variant that answered",
        "content": {
            JSON: {"schema": {"$ref": f"#/components/schemas/{InferAnswer.__name__}"}},
            RAW: {
                "schema": {**BINARY, "description": "An InferAnswer as JSON, and the bytes of its outputs behind it"}
            },
        },
    },
    **problems(*OF_PREDICTIONS),
}
blueprint.components_schemas.update(schemas(InferAnswer))


@blueprint.get("", operation_id="v2_server", responses={200: ServerMetadata, **problems()})
def server() -> Response:
    """Return the server's name, version and extensions."""
    from serving.gateway import VERSION  # which imports this module

    return send({"name": "dropserve", "version": VERSION, "extensions": ["binary_tensor_data"]})


@blueprint.get("/health/live", operation_id="v2_live", responses={200: Live, **problems()})
def live() -> Response:
    """Answer while the gateway is alive."""
    return send({"live": True})


@blueprint.get("/health/ready", operation_id="v2_ready", responses={200: Ready, **problems(Unavailable)})
def ready() -> Response:
    """Check that every variant answers, or did within the last second."""
    gateway().readiness.get()
    return send({"ready": True})


@blueprint.get(
    "/models/<name>", operation_id="v2_model", responses={200: ModelMetadata, **problems(NotFound, Unavailable)}
)
def model(path: ModelPath) -> Response:
    """Return a variant's versions, inputs and outputs."""
    return _metadata(path.name, None)


@blueprint.get(
    "/models/<name>/versions/<version>", operation_id="v2_model_version",
    responses={200: ModelMetadata, **problems(NotFound, Unavailable)},
)  # fmt: skip
def model_version(path: VersionPath) -> Response:
    """Return the inputs and outputs of a variant's published version."""
    return _metadata(path.name, path.version)


@blueprint.get(
    "/models/<name>/ready", operation_id="v2_model_ready", responses={200: Ready, **problems(NotFound, Unavailable)}
)
def model_ready(path: ModelPath) -> Response:
    """Check that a variant answers, or did within the last second."""
    return _ready(path.name, None)


@blueprint.get(
    "/models/<name>/versions/<version>/ready", operation_id="v2_model_version_ready",
    responses={200: Ready, **problems(NotFound, Unavailable)},
)  # fmt: skip
def model_version_ready(path: VersionPath) -> Response:
    """Check that a variant's published version answers, or did within the last second."""
    return _ready(path.name, path.version)


@blueprint.post(
    "/models/<name>/infer", operation_id="v2_infer", security=security("open_inference.infer"),
    request_body=DOCUMENTED, responses=OF_INFER,
)  # fmt: skip
def infer(path: ModelPath, query: InferQuery, header: InferHeaders) -> Response:
    """Say which class each image shows, as tensors."""
    return predictions.respond(PROTOCOL)


@blueprint.post(
    "/models/<name>/versions/<version>/infer", operation_id="v2_infer_version",
    security=security("open_inference.infer_version"), request_body=DOCUMENTED, responses=OF_INFER,
)  # fmt: skip
def infer_version(path: VersionPath, query: InferQuery, header: InferHeaders) -> Response:
    """Say which class each image shows, as tensors, by a variant's published version."""
    return predictions.respond(PROTOCOL)


def _metadata(name: str, version: str | None) -> Response:
    manifest = gateway().manifest.current()
    return send(metadata(name, _model(manifest, name, version), manifest).model_dump())


def _ready(name: str, version: str | None) -> Response:
    services = gateway()
    manifest = services.manifest.current()
    variant = _model(manifest, name, version) or default(manifest, services.experiments.cache.current())
    try:
        services.readiness.get()
    except Unavailable as error:
        place = pointer("variants", variant.name)
        for fault in error.faults:
            if fault.pointer == place:
                raise Unavailable(f"Variant {variant.name!r} is not ready: {fault.detail}", [fault]) from error
        if not error.faults:
            raise
    if version is not None:
        [live] = services.event_loop.run(services.model_server.states([variant.name]))
        if live.state == AVAILABLE and live.version != variant.version:
            there = f"answers in version {live.version}, not {variant.version}"
            raise NotLoaded(f"Variant {variant.name!r} {there}; try again shortly.")
    return send({"name": name, "ready": True})


def _model(manifest: Manifest, name: str, version: str | None) -> Variant | None:
    """Return the variant of this name, None for ANY; raise NotFound for a name or version that is not there."""
    variant = None if name == ANY else named(manifest, name)
    if version is not None and (variant is None or version != str(variant.version)):
        there = "has no versions" if variant is None else f"has version {variant.version}"
        raise NotFound(f"There is no version {version!r} of {name!r}, which {there}.")
    return variant


def _named(path: str) -> tuple[str, str | None]:
    """Return the name and the version in the path of an infer call."""
    _, _, _, name, *rest = path.split("/")
    return name, rest[1] if len(rest) > 1 else None


def _asked(call: Request, manifest: Manifest) -> Asked:
    query = read_query(InferQuery, call.query)
    variant = _model(manifest, *_named(call.path))
    return Asked(variant.name if variant else None, query.experiment, query.uncertainty)


def _read(call: Request, manifest: Manifest, settings: Settings, effort: Effort, signature: str) -> Received:
    name, version = _named(call.path)
    known, scale = (
        known_outputs(_model(manifest, name, version), manifest, signature),
        read_query(InferQuery, call.query).scale,
    )
    wanted = None if version is None else int(version)
    return Received(*read_infer(call, manifest.image, settings, effort, int(scale), known, wanted))


PROTOCOL = Protocol(_asked, _read, infer_reply)
