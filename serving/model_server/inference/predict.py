"""Predict on one servable."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from grpc import StatusCode
from tensorflow_serving.apis import model_pb2, predict_pb2

from serving.model_server.batching.batch import Feeds
from serving.model_server.errors import ServingError, invalid_argument
from serving.model_server.inference import tensors
from serving.model_server.inference.signatures import Signature, Tensors
from serving.model_server.models.servable import Servable

DEFAULT_SIGNATURE = "serving_default"


@dataclasses.dataclass(frozen=True)
class Plan:
    """The run that a PredictRequest asks for: tensors to feed, and output alias → (tensor to fetch, its type)."""

    feeds: Feeds
    outputs: Tensors

    @property
    def fetches(self) -> list[str]:
        """The names of the tensors to fetch, in the order of `outputs`."""
        return [name for name, _ in self.outputs.values()]


def predict(
    servable: Servable, request: predict_pb2.PredictRequest, timeout: float | None = None
) -> predict_pb2.PredictResponse:
    """Answer a PredictRequest; raise `ServingError` with TF Serving's code and words."""
    plan = make_plan(servable, request)
    return respond(servable, request, plan, servable.run(plan.feeds, plan.fetches, timeout))


def make_plan(servable: Servable, request: predict_pb2.PredictRequest) -> Plan:
    """Check a PredictRequest against its signature."""
    key = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.tables.get(key)
    if signature is None:
        raise ServingError(StatusCode.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.')
    feeds = _feeds(signature, request)
    outputs = signature.outputs
    if request.output_filter:
        outputs = {alias: outputs[alias] for alias in _filtered(signature, request.output_filter)}
    return Plan(feeds, outputs)


def respond(
    servable: Servable, request: predict_pb2.PredictRequest, plan: Plan, arrays: list[np.ndarray]
) -> predict_pb2.PredictResponse:
    """Return the response that holds the results of `plan`."""
    response = predict_pb2.PredictResponse(model_spec=resolved_spec(servable, request.model_spec))
    for (alias, (_, dtype)), array in zip(plan.outputs.items(), arrays, strict=True):
        tensors.encode(array, dtype, response.outputs[alias])
    return response


def resolved_spec(servable: Servable, asked: model_pb2.ModelSpec) -> model_pb2.ModelSpec:
    """Return the model_spec of an answer, with the version and signature that ran."""
    spec = model_pb2.ModelSpec(name=asked.name, signature_name=asked.signature_name or DEFAULT_SIGNATURE)
    spec.version.value = servable.version
    return spec


def _feeds(signature: Signature, request: predict_pb2.PredictRequest) -> Feeds:
    inputs = request.inputs
    if len(inputs) != len(signature.inputs):
        _check_count(signature, request)
    feeds = {}
    for index, (alias, (name, dtype)) in enumerate(signature.inputs.items()):
        if alias in inputs:
            proto = inputs[alias]
        elif alias in signature.defaults:
            proto = signature.defaults[alias]
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {name}) not found in request and no default value "
                f"provided. Inputs expected to be in the request {{{','.join(sorted(inputs))}}}, or default "
                f"input alias set: {','.join(sorted(signature.defaults))}"
            )
        try:
            array = tensors.decode(proto)
        except ValueError as error:
            raise invalid_argument(f"tensor parsing error: {alias} ({error})") from error
        if proto.dtype != dtype:
            expected, got = tensors.type_name(dtype), tensors.type_name(proto.dtype)
            raise invalid_argument(f"Expects arg[{index}] to be {expected} but {got} is provided")
        feeds[name] = array
    if not signature.inputs.keys() >= set(inputs):
        unknown = sorted(set(inputs) - set(signature.inputs))
        used = ",".join(sorted(set(inputs) & set(signature.inputs)))
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {used}, request input: {','.join(unknown)}"
        )
    return feeds


def _check_count(signature: Signature, request: predict_pb2.PredictRequest) -> None:
    sent, expected = set(request.inputs), set(signature.inputs)
    if len(sent) > len(expected) or (len(sent) < len(expected) and not signature.defaults):
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} "
            f"len({{{','.join(sorted(sent))}}}) != len({{{','.join(sorted(expected))}}}). "
            f"Sent extra: {{{','.join(sorted(sent - expected))}}}. "
            f"Missing but required: {{{','.join(sorted(expected - sent))}}}."
        )


def _filtered(signature: Signature, output_filter: Sequence[str]) -> list[str]:
    for position, alias in enumerate(output_filter):
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{{{','.join(sorted(signature.outputs))}}}."
            )
        if alias in output_filter[:position]:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
    return sorted(output_filter)
