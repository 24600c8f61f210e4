"""REST answers: tensors, classes and values into TF Serving's JSON, NaN and Infinity tokens included."""

import base64
import json
import math
from collections.abc import Mapping

import numpy as np
from grpc import StatusCode
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import classification_pb2, regression_pb2

from serving.model_server.errors import ServingError, invalid_argument
from serving.model_server.inference import tensors


def predictions(outputs: Mapping[str, tensor_pb2.TensorProto]) -> str:
    """Return the outputs in row form: one element for each row, an object where there are several outputs."""
    sizes: dict[str, int] = {}
    for name, proto in sorted(outputs.items()):
        if not proto.tensor_shape.dim:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        sizes[name] = proto.tensor_shape.dim[0].size
        if sizes[name] != next(iter(sizes.values())):
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {sizes[name]} "
                f"expecting: {next(iter(sizes.values()))}"
            )
    rows = {name: _nest(name, proto, down_to=1) for name, proto in sorted(outputs.items())}
    if len(rows) == 1:
        texts = next(iter(rows.values()))
    else:
        names = [json.dumps(name) for name in rows]
        texts = [_object(names, row) for row in zip(*rows.values(), strict=True)]
    return '{\n    "predictions": [' + ", ".join(texts) + "\n    ]\n}"


def columns(outputs: Mapping[str, tensor_pb2.TensorProto]) -> str:
    """Return the outputs in columnar form: whole tensors, by name where there are several."""
    whole = {json.dumps(name): _nest(name, proto, down_to=0)[0] for name, proto in sorted(outputs.items())}
    text = next(iter(whole.values())) if len(whole) == 1 else _object(list(whole), list(whole.values()))
    return '{\n    "outputs": ' + text + "\n}"


def classifications(result: classification_pb2.ClassificationResult) -> str:
    """Return labels and scores: [[["label", 0.9], …], …]."""
    rows = [
        "[" + ", ".join(f"[{json.dumps(one.label)}, {_decimal(one.score, np.float32)}]" for one in row.classes) + "]"
        for row in result.classifications
    ]
    return '{\n    "results": [' + ", ".join(rows) + "\n    ]\n}"


def regressions(result: regression_pb2.RegressionResult) -> str:
    """Return values: [0.5, …]."""
    values = [_decimal(one.value, np.float32) for one in result.regressions]
    return '{\n    "results": [' + ", ".join(values) + "\n    ]\n}"


def _object(names: list[str], values: tuple[str, ...] | list[str]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in zip(names, values, strict=True)) + "}"


def _nest(name: str, proto: tensor_pb2.TensorProto, down_to: int) -> list[str]:
    """Return a tensor's JSON, cut along its first `down_to` dimensions."""
    texts = _tokens(name, proto)
    shape = [dim.size for dim in proto.tensor_shape.dim]
    for axis in range(len(shape) - 1, down_to - 1, -1):
        size = shape[axis]
        count = math.prod(shape[:axis])
        texts = ["[" + ", ".join(texts[start * size : (start + 1) * size]) + "]" for start in range(count)]
    return texts


def _tokens(name: str, proto: tensor_pb2.TensorProto) -> list[str]:
    if proto.dtype == types_pb2.DT_STRING:
        if name.endswith("_bytes"):
            return [json.dumps({"b64": base64.b64encode(value).decode()}) for value in proto.string_val]
        return [json.dumps(value.decode(errors="replace"), ensure_ascii=False) for value in proto.string_val]
    array = tensors.decode(proto).reshape(-1)
    if array.dtype == bool:
        return ["true" if value else "false" for value in array.tolist()]
    if array.dtype.kind in "iu":
        return [str(value) for value in array.tolist()]
    if array.dtype in (np.float32, np.float64, np.float16):
        return [_decimal(value, array.dtype.type) for value in array.tolist()]
    raise ServingError(
        StatusCode.INVALID_ARGUMENT, f"Failed to write JSON value for tensor type: {tensors.type_name(proto.dtype)}"
    )


def _decimal(value: float, kind: type[np.floating]) -> str:
    """Write a number as TF Serving does: six digits if they are enough, else all; with a point, or an exponent."""
    if not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    text = f"{value:.6g}"
    if kind(text) != kind(value):
        text = f"{value:.17g}" if kind is np.float64 else f"{value:.9g}"
    return text if "." in text or "e" in text else text + ".0"
