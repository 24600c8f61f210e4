"""POST /predict."""

from typing import Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from flask_openapi.utils import parse_body

from serving.gateway.access.roles import security
from serving.gateway.imaging.uploads import Effort
from serving.gateway.inference import prediction
from serving.gateway.inference.tf_serving.client import PROBABILITIES
from serving.gateway.manifest import Manifest
from serving.gateway.settings import Settings
from serving.gateway.web import predictions
from serving.gateway.web.answers import PredictAnswer, as_members
from serving.gateway.web.bodies import DOCUMENTED, read_images
from serving.gateway.web.instances import Instances
from serving.gateway.web.parameters import Headers, PredictQuery, read_query
from serving.gateway.web.pixels import Reading
from serving.gateway.web.prediction_protocol import Asked, Predicted, Protocol, Received
from serving.gateway.web.problems import OF_PREDICTIONS, problems
from serving.gateway.web.replies import Reply, as_json
from serving.gateway.web.request import Request

blueprint = APIBlueprint("predict", __name__, abp_tags=[Tag(name="predictions")])
blueprint.components_schemas.update(parse_body(Instances)[1])


@blueprint.post(
    "/predict",
    operation_id="predict",
    security=security("predict.predict"),
    request_body=DOCUMENTED,
    responses={
        200: PredictAnswer,
        **problems(*OF_PREDICTIONS),
    },
)
def predict(query: PredictQuery, header: Headers) -> Response:
    """Say which class each image shows."""
    return predictions.respond(PROTOCOL)


def _asked(call: Request, manifest: Manifest) -> Asked:
    query = read_query(PredictQuery, call.query)
    return Asked(query.variant, query.experiment, query.uncertainty)


def _read(call: Request, manifest: Manifest, settings: Settings, effort: Effort, signature: str) -> Received:
    query = read_query(PredictQuery, call.query)
    reading = Reading(int(query.scale), signature, query.split)
    return Received(read_images(call, manifest.image, settings, effort, reading))


def _reply(predicted: Predicted) -> Reply:
    return as_json(
        {
            "request_id": predicted.request_id,
            "variant": predicted.variant,
            "version": predicted.answer.version,
            "experiment": predicted.experiment,
            "fallback": predicted.fallback and predicted.fallback._asdict(),
            "predictions": _predictions(predicted),
        }
    )


def _predictions(predicted: Predicted) -> list[dict[str, Any]]:
    answer = predicted.answer
    made: list[dict[str, Any]] = [
        {"id": one, "label": label, "confidence": confidence, "familiarity": familiar, "probabilities": row}
        for one, label, confidence, familiar, row in zip(
            predicted.ids, predicted.labels, answer.confidences, prediction.familiarities(answer),
            answer.outputs[PROBABILITIES], strict=True,
        )
    ]  # fmt: skip
    for name in prediction.UNCERTAINTY_OUTPUTS:
        for each, value in zip(made, answer.outputs.get(name, ()), strict=False):
            each[name] = value
    for each, place in zip(made, predicted.received.images.places, strict=False):
        each.update(as_members(place))
    return made


PROTOCOL = Protocol(_asked, _read, _reply)
