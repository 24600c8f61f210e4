"""POST /predict."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from flask_openapi.utils import parse_body

from serving.gateway.access.administrators import OF_CLIENTS
from serving.gateway.errors import GatewayError, Unprocessable
from serving.gateway.experiments import routing, traffic
from serving.gateway.experiments.cache import Snapshot
from serving.gateway.experiments.prediction_id import KEY_BYTES, Exposed, sign
from serving.gateway.experiments.shadow import Job
from serving.gateway.inference import prediction
from serving.gateway.inference.fallback import Fallback, ask_or_default
from serving.gateway.inference.tf_serving.client import Answer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import Manifest, Variant
from serving.gateway.web.answers import PredictAnswer
from serving.gateway.web.bodies import DOCUMENTED, Body, read_images
from serving.gateway.web.context import Gateway, RequestRecord, gateway, record
from serving.gateway.web.instances import Instances
from serving.gateway.web.parameters import Headers, PredictQuery, quickly
from serving.gateway.web.problems import OF_PREDICTIONS, problems
from serving.gateway.web.replies import Reply, as_json

TIME_BYTES = 6  # of a key

blueprint = APIBlueprint("predict", __name__, abp_tags=[Tag(name="predictions")])
blueprint.components_schemas.update(parse_body(Instances)[1])


@blueprint.post(
    "/predict",
    operation_id="predict",
    security=OF_CLIENTS,
    request_body=DOCUMENTED,
    responses={
        200: PredictAnswer,
        **problems(*OF_PREDICTIONS),
    },
)
@quickly
def predict(query: PredictQuery, header: Headers) -> Response:
    """Say which class each image shows."""
    return answer(gateway(), record(), query, header, request.environ).response()


def answer(
    services: Gateway, log: RequestRecord, query: PredictQuery, header: Headers, environ: dict[str, Any]
) -> Reply:
    """Return what is answered to a request, and note in `log` how it went; raise a GatewayError."""
    with services.in_flight:
        manifest, snapshot = services.manifest.current(), services.experiments.cache.current()
        if query.uncertainty:
            chosen: Variant | routing.ArmChoice = _sampled(manifest, snapshot, query)
        else:
            chosen = routing.choose(manifest, snapshot, query.variant, query.experiment, header.unit_id or log.id)
        body = Body(environ, services.settings)
        images = read_images(body, manifest.image, services.settings, services.waits.way.away)
        log.images = images.count
        key = _key()
        if isinstance(chosen, routing.ArmChoice):
            return _expose(services, log, manifest, snapshot, chosen, images, key)
        log.variant, fallback = chosen.name, None
        if query.uncertainty:
            samples = services.settings.uncertainty_samples
            told = prediction.predict_uncertainty(services.batcher, manifest, chosen, images, samples)
        elif query.variant is not None:
            told = prediction.predict(services.batcher, manifest, chosen, images)
        else:
            chosen, told, fallback = ask_or_default(manifest, chosen, _asking(services, manifest, images))
    labels = prediction.labels(told, manifest)
    ids = _ids(snapshot, key, labels, chosen, told.version, None)
    return _reply(log, told, labels, chosen, None, fallback, ids)


def _key() -> str:
    """Return a new key for what is said of one request: in the order of time, so that new rows lie side by side."""
    return ((time.time_ns() // 1_000_000).to_bytes(TIME_BYTES) + os.urandom(KEY_BYTES - TIME_BYTES)).hex()


def _sampled(manifest: Manifest, snapshot: Snapshot, query: PredictQuery) -> Variant:
    """Return who answers with sampled dropout: never an experiment, whose arms are compared without."""
    if query.experiment is not None:
        raise Unprocessable("An experiment compares answers without sampling: leave out experiment or uncertainty.")
    if query.variant is not None:
        return routing.named(manifest, query.variant)
    return routing.default(manifest, snapshot)


def _expose(
    services: Gateway,
    log: RequestRecord,
    manifest: Manifest,
    snapshot: Snapshot,
    chosen: routing.ArmChoice,
    images: Images,
    key: str,
) -> Reply:
    """Answer as an experiment says; what happened is recorded, and other arms are asked, in the background."""
    running, assignment = chosen
    log.variant = running.arms[assignment.arm]
    served, outcomes = traffic.serve(running, assignment.arm, manifest, _asking(services, manifest, images))
    arm: int | None = None
    ids: list[str] = []
    labels: list[str] = []
    if not isinstance(served, GatewayError):
        arm, exposed = served.arm, None
        labels = [label for label, _ in served.said]
        if arm is not None:
            exposed = Exposed(running.id, running.phase, assignment.unit, assignment.arm, arm)
        ids = _ids(snapshot, key, labels, served.variant, served.answer.version, exposed)
    exposure = traffic.exposure(key, running, assignment, arm, outcomes, images.count)
    if running.paired:
        services.experiments.shadow.submit(Job(running, manifest, images, outcomes, exposure, ids))
    else:
        services.experiments.recorder.record(exposure)
    if isinstance(served, GatewayError):
        raise served
    experiment = None if arm is None else running.name
    return _reply(log, served.answer, labels, served.variant, experiment, served.fallback, ids)


def _asking(services: Gateway, manifest: Manifest, images: Images) -> Callable[[Variant], Answer]:
    """Return what asks a variant, and then another where that fails, all within one deadline from now."""
    until = time.monotonic() + services.settings.deadline_ms / 1000

    def ask(variant: Variant) -> Answer:
        return prediction.predict(services.batcher, manifest, variant, images, max(0.0, until - time.monotonic()))

    return ask


def _ids(
    snapshot: Snapshot, key: str, labels: Sequence[str], variant: Variant, version: int, exposed: Exposed | None
) -> list[str]:
    """Return an id for each image; before the store has been reached once, one on which there can be no feedback."""
    if (secret := snapshot.signing_key) is None:
        return [f"{key}.{at}" for at in range(len(labels))]
    return sign(secret, key, labels, variant.name, version, exposed)


def _reply(
    log: RequestRecord,
    answer: Answer,
    labels: Sequence[str],
    variant: Variant,
    experiment: str | None,
    fallback: Fallback | None,
    ids: Sequence[str],
) -> Reply:
    log.variant, log.version = variant.name, str(answer.version)
    reply = as_json(
        {
            "request_id": log.id,
            "variant": variant.name,
            "version": answer.version,
            "experiment": experiment,
            "fallback": fallback and fallback._asdict(),
            "predictions": _predictions(answer, labels, ids),
        }
    )
    if fallback:
        reply.headers.append(("X-Fallback-For", fallback.instead_of))
    return reply


def _predictions(answer: Answer, labels: Sequence[str], ids: Sequence[str]) -> list[dict[str, Any]]:
    probabilities = answer.outputs[prediction.PROBABILITIES]
    predictions: list[dict[str, Any]] = [
        {"id": one, "label": label, "confidence": confidence, "probabilities": row}
        for one, label, confidence, row in zip(ids, labels, probabilities.max(axis=1), probabilities, strict=True)
    ]
    for name in prediction.UNCERTAINTY_OUTPUTS:
        for each, value in zip(predictions, answer.outputs.get(name, ()), strict=False):
            each[name] = value
    return predictions
