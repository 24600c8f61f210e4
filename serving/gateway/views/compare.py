"""POST /compare."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from serving.gateway.access.roles import security
from serving.gateway.experiments.routing import named
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.pictures import data_url
from serving.gateway.imaging.uploads import Effort
from serving.gateway.inference import prediction
from serving.gateway.inference.tf_serving.client import PROBABILITIES
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import Manifest, Variant
from serving.gateway.web.answers import CompareAnswer, as_members
from serving.gateway.web.bodies import DOCUMENTED, read_images
from serving.gateway.web.context import Gateway, RequestRecord
from serving.gateway.web.on_loop import answer_on_loop
from serving.gateway.web.parameters import CompareQuery, Headers, read_query
from serving.gateway.web.pixels import Reading
from serving.gateway.web.problems import OF_PREDICTIONS, problems
from serving.gateway.web.replies import Reply, as_json
from serving.gateway.web.request import Request

blueprint = APIBlueprint("compare", __name__, abp_tags=[Tag(name="predictions")])


@blueprint.post(
    "/compare",
    operation_id="compare",
    security=security("compare.compare"),
    request_body=DOCUMENTED,
    responses={
        200: CompareAnswer,
        **problems(*OF_PREDICTIONS),
    },
)
def compare(query: CompareQuery, header: Headers) -> Response:
    """Show what each variant says of the very same pixels."""
    return answer_on_loop(answer)


async def answer(services: Gateway, call: Request, done: RequestRecord) -> Reply:
    """Return the reply to a call whose body is whole; raise a GatewayError."""
    query = read_query(CompareQuery, call.query)
    with services.in_flight:
        manifest = services.manifest.current()
        variants = _chosen(manifest, query.variants)
        reading = Reading(int(query.scale), split=query.split)
        charge = partial(services.admission.charge, call)

        def read(effort: Effort) -> Images:
            return read_images(call, manifest.image, services.settings, effort.charging(charge), reading)

        images = await services.decoders.run(call.account, read)
        done.images = images.count
        by_variant = await _ask_all(services, manifest, variants, images, done.span)
        return await services.decoders.run(
            call.account, lambda effort: _composed(done.id, manifest.image, images, by_variant)
        )


def _composed(
    request_id: str, image: ImageFormat, images: Images, by_variant: Sequence[Sequence[dict[str, Any]]]
) -> Reply:
    results = []
    for at, of_image in enumerate(zip(*by_variant, strict=True)):
        pixels = images.pixels[at * image.pixels : (at + 1) * image.pixels]
        agree = len({each["label"] for each in of_image}) == 1
        result = {"seen": data_url(pixels, image), "agree": agree, "variants": of_image}
        results.append(result | as_members(images.places[at]) if images.places else result)
    return as_json({"request_id": request_id, "results": results})


def _chosen(manifest: Manifest, names: str | None) -> list[Variant]:
    if names is None:
        return manifest.variants
    return [named(manifest, name) for name in dict.fromkeys(names.split(","))]


async def _ask_all(
    services: Gateway, manifest: Manifest, variants: Sequence[Variant], images: Images, span: Any
) -> list[list[dict[str, Any]]]:
    """Return each variant's answers, all of them within one deadline."""
    return await asyncio.gather(*(_ask(services, manifest, variant, images, span) for variant in variants))


async def _ask(
    services: Gateway, manifest: Manifest, variant: Variant, images: Images, span: Any
) -> list[dict[str, Any]]:
    """Return the answer of `variant` about each image."""
    started = time.perf_counter()
    answer = await prediction.predict(services.batcher, manifest, variant.name, images, span=span)
    milliseconds = round(1000 * (time.perf_counter() - started), 3)
    probabilities = answer.outputs[PROBABILITIES]
    return [
        {
            "variant": variant.name,
            "version": answer.version,
            "label": label,
            "confidence": confidence,
            "familiarity": familiar,
            "probabilities": row,
            "milliseconds": milliseconds,
        }
        for label, confidence, familiar, row in zip(
            prediction.labels(answer, manifest),
            answer.confidences,
            prediction.familiarities(answer),
            probabilities,
            strict=True,
        )
    ]
