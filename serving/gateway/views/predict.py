"""POST /predict."""

import os
from typing import Any

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from flask_openapi.utils import parse_body

from serving.gateway import prediction
from serving.gateway.manifest import Manifest
from serving.gateway.routing import choose
from serving.gateway.tf_serving.client import Answer
from serving.gateway.views.answers import PredictAnswer, send
from serving.gateway.views.bodies import DOCUMENTED, read_images
from serving.gateway.views.context import gateway, record
from serving.gateway.views.instances import Instances
from serving.gateway.views.parameters import Headers, PredictQuery
from serving.gateway.views.problems import OF_PREDICTIONS, problems

ID_BYTES = 16

blueprint = APIBlueprint("predict", __name__, abp_tags=[Tag(name="predictions")])
blueprint.components_schemas.update(parse_body(Instances)[1])


@blueprint.post(
    "/predict",
    operation_id="predict",
    request_body=DOCUMENTED,
    responses={
        200: PredictAnswer,
        **problems(*OF_PREDICTIONS),
    },
)
def predict(query: PredictQuery, header: Headers) -> Response:
    """Say which class each image shows."""
    services = gateway()
    with services.in_flight:
        manifest = services.manifest.current()
        route = choose(manifest, query.variant, query.experiment)
        images = read_images(request, manifest.image, services.settings)
        log = record()
        log.variant, log.images = route.variant.name, images.count
        if query.uncertainty:
            answer = prediction.predict_uncertainty(
                services.model_server, manifest, route.variant, images, services.settings.uncertainty_samples
            )
        else:
            answer = prediction.predict(services.model_server, manifest, route.variant, images)
        log.version = str(answer.version)
    return send(
        {
            "request_id": log.id,
            "variant": route.variant.name,
            "version": answer.version,
            "experiment": route.experiment,
            "predictions": _predictions(answer, manifest),
        }
    )


def _predictions(answer: Answer, manifest: Manifest) -> list[dict[str, Any]]:
    probabilities = answer.outputs[prediction.PROBABILITIES]
    best = probabilities.argmax(axis=1).tolist()
    ids = os.urandom(ID_BYTES * len(best)).hex()
    predictions: list[dict[str, Any]] = [
        {
            "id": ids[2 * ID_BYTES * at : 2 * ID_BYTES * (at + 1)],
            "label": manifest.classes[label],
            "confidence": probabilities[at, label],
            "probabilities": probabilities[at],
        }
        for at, label in enumerate(best)
    ]
    for name in prediction.UNCERTAINTY_OUTPUTS:
        for each, value in zip(predictions, answer.outputs.get(name, ()), strict=False):
            each[name] = value
    return predictions
