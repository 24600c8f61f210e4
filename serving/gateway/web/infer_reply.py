"""Make answers of the Open Inference Protocol v2: JSON, or a head of JSON with the raw bytes of tensors behind it."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from serving.gateway.errors import NotLoaded
from serving.gateway.inference.prediction import FAMILIARITY, UNCERTAINTY, UNCERTAINTY_OUTPUTS
from serving.gateway.inference.tf_serving.client import FAMILIAR, PLAIN, PROBABILITIES
from serving.gateway.manifest import Manifest, Variant
from serving.gateway.web.infer_request import DATATYPE, HEAD_LENGTH, InferOutput, Wanted
from serving.gateway.web.prediction_protocol import Predicted
from serving.gateway.web.replies import Reply, as_json
from serving.gateway.web.tensors import INPUT, fault

LABELS = "labels"
LENGTH_BYTES = 4  # before each text of a binary tensor
OCTETS = "application/octet-stream"
IDS = "The ids of the predictions, for POST /feedback: one an image, separated by commas"

Tensor = NDArray[np.float32] | list[str]


class AnswerParameters(BaseModel):
    """The rest of the answer; a member that does not apply is missing."""

    prediction_ids: str = Field(description=IDS)
    experiment: str | None = Field(None, description="The experiment that chose the variant")
    fallback_for: str | None = Field(None, description="The variant in whose place another answered")
    fallback_reason: str | None = Field(None, description="The reason of its failure")


class OutputTensor(InferOutput):
    """An output tensor."""

    datatype: str
    shape: list[int]
    data: list[Any] | None = Field(None, description="Flat; missing where `parameters` has `binary_data_size`")


class InferAnswer(BaseModel):
    """The answer of an infer call."""

    model_name: str = Field(description="The variant that answered")
    model_version: str
    id: str | None = Field(None, description="The id of the request, where it has one")
    parameters: AnswerParameters
    outputs: list[OutputTensor]


class TensorMetadata(BaseModel):
    """An input or output of a model; a side of -1 varies."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """The metadata of a model, which is a variant."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


def known_outputs(variant: Variant | None, manifest: Manifest, signature: str = PLAIN) -> tuple[str, ...]:
    """Return the outputs of a signature that requests to a variant may name; without one, those that all have."""
    every = (variant,) if variant else manifest.variants
    familiar = (FAMILIARITY,) if all(FAMILIAR in each.signatures for each in every) else ()
    return PROBABILITIES, LABELS, *familiar, *(UNCERTAINTY_OUTPUTS if signature == UNCERTAINTY else ())


def metadata(name: str, variant: Variant | None, manifest: Manifest) -> ModelMetadata:
    """Return the metadata of a variant, or of all together where there is none."""
    outputs = [
        TensorMetadata(name=PROBABILITIES, datatype="FP32", shape=[-1, len(manifest.classes)]),
        TensorMetadata(name=LABELS, datatype="BYTES", shape=[-1]),
    ]
    if FAMILIARITY in known_outputs(variant, manifest):
        outputs.append(TensorMetadata(name=FAMILIARITY, datatype="FP32", shape=[-1]))
    sides = [-1, manifest.image.height, manifest.image.width]
    return ModelMetadata(
        name=name, versions=[str(variant.version)] if variant else [], platform="tensorflow_savedmodel",
        inputs=[TensorMetadata(name=INPUT, datatype=DATATYPE, shape=sides)], outputs=outputs,
    )  # fmt: skip


def infer_reply(predicted: Predicted) -> Reply:
    """Return the reply to an infer call; raise a GatewayError where its version or an output is not there."""
    wanted, version = predicted.received.form, predicted.answer.version
    assert isinstance(wanted, Wanted)
    if wanted.version not in (None, version):
        raise NotLoaded(
            f"Variant {predicted.variant!r} answers in version {version}, not {wanted.version}; try again shortly."
        )
    there: dict[str, Tensor] = {PROBABILITIES: predicted.answer.outputs[PROBABILITIES], LABELS: list(predicted.labels)}
    there |= predicted.answer.outputs
    described: list[dict[str, Any]] = []
    behind: list[bytes] = []
    for name, binary in (wanted.outputs or dict.fromkeys(there, wanted.binary)).items():
        if name not in there:
            raise fault(
                ("outputs",), f"Variant {predicted.variant!r} has no output {name!r}; it has {', '.join(there)}"
            )
        output, raw = _tensor(name, there[name], binary)
        described.append(output)
        behind.append(raw)
    head: dict[str, Any] = {"model_name": predicted.variant, "model_version": str(version)}
    if wanted.id is not None:
        head["id"] = wanted.id
    reply = as_json({**head, "parameters": _parameters(predicted), "outputs": described})
    if not any(behind):
        return reply
    headers = [("Content-Type", OCTETS), (HEAD_LENGTH, str(len(reply.body)))]
    return Reply(reply.status, headers, b"".join([reply.body, *behind]))


def _parameters(predicted: Predicted) -> dict[str, str]:
    """Return what else there is to tell; the protocol's parameters are texts, numbers and booleans."""
    parameters = {"prediction_ids": ",".join(predicted.ids)}
    if predicted.experiment is not None:
        parameters["experiment"] = predicted.experiment
    if fallback := predicted.fallback:
        parameters |= {"fallback_for": fallback.instead_of, "fallback_reason": fallback.reason}
    return parameters


def _tensor(name: str, values: Tensor, binary: bool) -> tuple[dict[str, Any], bytes]:
    """Return an output tensor as JSON, and its bytes behind the head."""
    texts = isinstance(values, list)
    shape = [len(values)] if isinstance(values, list) else list(values.shape)
    output: dict[str, Any] = {"name": name, "datatype": "BYTES" if texts else "FP32", "shape": shape}
    if not binary:
        return {**output, "data": values if isinstance(values, list) else values.reshape(math.prod(shape))}, b""
    raw = _packed(values) if isinstance(values, list) else values.astype("<f4").tobytes()
    return {**output, "parameters": {"binary_data_size": len(raw)}}, raw


def _packed(texts: Iterable[str]) -> bytes:
    encoded = [text.encode() for text in texts]
    return b"".join(part for text in encoded for part in (len(text).to_bytes(LENGTH_BYTES, "little"), text))
