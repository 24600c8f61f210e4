"""GET /healthz, /readyz and /metrics."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from serving.gateway.access.roles import security
from serving.gateway.errors import Fault, Forbidden, Unauthorized, Unavailable, pointer
from serving.gateway.inference.tf_serving.client import AVAILABLE
from serving.gateway.web.answers import send
from serving.gateway.web.context import Gateway, gateway
from serving.gateway.web.problems import problems

blueprint = APIBlueprint("health", __name__, abp_tags=[Tag(name="operation")])


class Status(BaseModel):
    """The status of the gateway."""

    status: str


@blueprint.get("/healthz", operation_id="healthz", responses={200: Status, **problems()})
def healthz() -> Response:
    """Answer while the gateway is alive."""
    return send({"status": "alive"})


@blueprint.get("/readyz", operation_id="readyz", responses={200: Status, **problems(Unavailable)})
def readyz() -> Response:
    """Check that every variant of the manifest answers, or did within the last second."""
    gateway().readiness.get()
    return send({"status": "ready"})


def check_ready(services: Gateway) -> None:
    """Raise Unavailable, with a fault for each variant of the manifest that does not answer."""
    server = services.model_server
    names = [variant.name for variant in services.manifest.current().variants]
    faults = [
        Fault(pointer("variants", name), f"{live.state} {live.detail or refusal}".strip())
        for name, live in zip(names, services.event_loop.run(server.states(names)), strict=True)
        if (refusal := server.refusal(name)) or live.state != AVAILABLE
    ]
    if faults:
        raise Unavailable("Not ready: " + "; ".join(f"{fault.pointer} is {fault.detail}" for fault in faults), faults)


@blueprint.get(
    "/metrics",
    operation_id="metrics",
    security=security("health.metrics"),
    responses={
        200: {"description": "Prometheus' text format", "content": {"text/plain": {}}},
        **problems(Unauthorized, Forbidden),
    },
)
def metrics() -> Response:
    """Return the metrics of all workers, at most a second old."""
    gateway().journal.flush()  # other workers count their last requests a moment later
    return Response(gateway().metrics.text(), content_type=CONTENT_TYPE_LATEST)
