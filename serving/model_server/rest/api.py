"""The REST API without HTTP: from method, path and body to status and JSON text."""

import json
import re
from collections.abc import Callable
from urllib.parse import unquote

from google.protobuf import json_format
from google.protobuf.message import Message
from grpc import StatusCode
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.model_server.errors import as_serving_error, invalid_argument
from serving.model_server.inference.predict import DEFAULT_SIGNATURE
from serving.model_server.inference.service import Service
from serving.model_server.rest import json_examples, json_input, json_output

_TARGET = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_RUN = re.compile(_TARGET + r":(?P<verb>classify|regress|predict)", re.IGNORECASE)
_SHOW = re.compile(_TARGET + r"(?P<metadata>/metadata)?", re.IGNORECASE)
_BARE = re.compile(r"/v1/models/?", re.IGNORECASE)
_MAX_VERSION = 2**63 - 1

_HTTP_STATUS = {
    StatusCode.CANCELLED: 499,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.ABORTED: 409,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 504,
}


class RestApi:
    """TF Serving's REST API on a service."""

    def __init__(self, service: Service, timeout: float | None) -> None:
        """Answer with `service`, each inference within `timeout` seconds; None for no limit."""
        self._service = service
        self._timeout = timeout

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        """Return the HTTP status and the JSON text that answer a request for a path under /v1/."""
        try:
            return 200, self._dispatch(method, path, body)
        except Exception as error:
            failure = as_serving_error(error)
            return _HTTP_STATUS.get(failure.code, 500), error_text(failure.message)

    def _dispatch(self, method: str, path: str, body: bytes) -> str:
        if method == "POST" and (match := _RUN.fullmatch(path)):
            verbs: dict[str, Callable[[model_pb2.ModelSpec, bytes], str]] = {
                "predict": self._predict,
                "classify": self._classify,
                "regress": self._regress,
            }
            return verbs[match["verb"].lower()](_spec(match), body)
        if method == "GET" and (match := _SHOW.fullmatch(path)):
            return self._metadata(_spec(match)) if match["metadata"] else self._status(_spec(match))
        if method == "GET" and _BARE.fullmatch(path):
            raise invalid_argument("Missing model name in request.")
        raise invalid_argument(f"Malformed request: {method} {path}")

    def _predict(self, spec: model_pb2.ModelSpec, body: bytes) -> str:
        document = json_input.parse(body)
        spec.signature_name = json_input.signature_name(document)
        with self._service.registry.use(spec) as servable:
            key = spec.signature_name or DEFAULT_SIGNATURE
            if key not in servable.signatures:
                raise invalid_argument(f'Serving signature name: "{key}" not found in signature def')
            infos = servable.signatures[key].inputs
            if not infos:
                raise invalid_argument(f"Failed to get input map for signature: {spec.signature_name or 'DEFAULT'}")
            inputs, in_rows = json_input.tensors_of(document, infos)
        request = predict_pb2.PredictRequest(model_spec=spec, inputs=inputs)
        outputs = self._service.predict(request, self._timeout).outputs
        return json_output.predictions(outputs) if in_rows else json_output.columns(outputs)

    def _classify(self, spec: model_pb2.ModelSpec, body: bytes) -> str:
        request = classification_pb2.ClassificationRequest(model_spec=spec)
        json_examples.fill(request, json_input.parse(body))
        return json_output.classifications(self._service.classify(request, self._timeout).result)

    def _regress(self, spec: model_pb2.ModelSpec, body: bytes) -> str:
        request = regression_pb2.RegressionRequest(model_spec=spec)
        json_examples.fill(request, json_input.parse(body))
        return json_output.regressions(self._service.regress(request, self._timeout).result)

    def _status(self, spec: model_pb2.ModelSpec) -> str:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
        return json.dumps(_as_dict(self._service.model_status(request)), indent=1)

    def _metadata(self, spec: model_pb2.ModelSpec) -> str:
        request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        response = self._service.model_metadata(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        # TF Serving writes the message without the type that goes with it as an Any.
        metadata = {"model_spec": _as_dict(response.model_spec), "metadata": {"signature_def": _as_dict(signatures)}}
        return json.dumps(metadata, indent=1)


def error_text(message: str) -> str:
    """Return the body of an error."""
    return json.dumps({"error": message}, indent=4)


def _spec(match: re.Match[str]) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=unquote(match["name"]))
    if match["version"]:
        if int(match["version"]) > _MAX_VERSION:
            raise invalid_argument(f"Failed to convert version: {match['version']} to numeric.")
        spec.version.value = int(match["version"])
    elif match["label"]:
        spec.version_label = unquote(match["label"])
    return spec


def _as_dict(message: Message) -> dict:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
