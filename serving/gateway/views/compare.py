"""POST /compare."""

import time
from typing import Any

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from serving.gateway.access.administrators import OF_CLIENTS
from serving.gateway.experiments.routing import named
from serving.gateway.imaging.pictures import data_url
from serving.gateway.inference import prediction
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import Manifest, Variant
from serving.gateway.web.answers import CompareAnswer, send
from serving.gateway.web.bodies import DOCUMENTED, Body, read_images
from serving.gateway.web.context import Gateway, gateway, record
from serving.gateway.web.parameters import CompareQuery, Headers
from serving.gateway.web.problems import OF_PREDICTIONS, problems

blueprint = APIBlueprint("compare", __name__, abp_tags=[Tag(name="predictions")])


@blueprint.post(
    "/compare",
    operation_id="compare",
    security=OF_CLIENTS,
    request_body=DOCUMENTED,
    responses={
        200: CompareAnswer,
        **problems(*OF_PREDICTIONS),
    },
)
def compare(query: CompareQuery, header: Headers) -> Response:
    """Show what each variant says of the very same pixels."""
    services = gateway()
    with services.in_flight:
        manifest = services.manifest.current()
        variants = _chosen(manifest, query.variants)
        body = Body(request.environ, services.settings)
        images = read_images(body, manifest.image, services.settings, services.waits.way.away)
        record().images = images.count
        until = time.monotonic() + services.settings.deadline_ms / 1000
        by_variant = [_ask(services, manifest, variant, images, until) for variant in variants]
    results = []
    for at, of_image in enumerate(zip(*by_variant, strict=True)):
        pixels = images.pixels[at * manifest.image.pixels : (at + 1) * manifest.image.pixels]
        agree = len({each["label"] for each in of_image}) == 1
        results.append({"seen": data_url(pixels, manifest.image), "agree": agree, "variants": of_image})
    return send({"request_id": record().id, "results": results})


def _chosen(manifest: Manifest, names: str | None) -> list[Variant]:
    if names is None:
        return manifest.variants
    return [named(manifest, name) for name in dict.fromkeys(names.split(","))]


def _ask(services: Gateway, manifest: Manifest, variant: Variant, images: Images, until: float) -> list[dict[str, Any]]:
    """Return what `variant` says of each image, by the moment `until` on the monotonic clock."""
    started = time.monotonic()
    timeout = max(0.0, until - started)
    answer = prediction.predict(services.batcher, manifest, variant, images, timeout)
    milliseconds = round(1000 * (time.monotonic() - started), 3)
    probabilities = answer.outputs[prediction.PROBABILITIES]
    return [
        {
            "variant": variant.name,
            "version": answer.version,
            "label": label,
            "confidence": confidence,
            "probabilities": row,
            "milliseconds": milliseconds,
        }
        for label, confidence, row in zip(
            prediction.labels(answer, manifest), probabilities.max(axis=1), probabilities, strict=True
        )
    ]
