"""One JSON value into one tensor, typed by the signature and not by how the value happens to be written."""

import base64
import binascii
import itertools
import json
from typing import Any

import numpy as np
from grpc import StatusCode
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2

from serving.model_server.errors import ServingError, invalid_argument
from serving.model_server.inference.tensors import MAX_DIMENSIONS, type_name

_ECHOED = 200  # characters of a value that an error repeats
_INTEGERS = {
    getattr(types_pb2, f"DT_{name.upper()}"): np.iinfo(name)
    for name in ("int8", "uint8", "int16", "int32", "int64", "uint32", "uint64")
}
_FLOATS: dict[int, Any] = {types_pb2.DT_FLOAT: np.finfo(np.float32), types_pb2.DT_DOUBLE: np.finfo(np.float64)}
_TYPE_NAMES = {type(None): "Null", dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}


def make_tensor(value: Any, dtype: int) -> tensor_pb2.TensorProto:
    """Return nested lists of numbers, truths, texts or {"b64": …} as a tensor of type `dtype`."""
    leaves, shape = flatten(value)
    proto = tensor_pb2.TensorProto(dtype=dtype)
    for size in shape:
        proto.tensor_shape.dim.append(tensor_shape_pb2.TensorShapeProto.Dim(size=size))
    if dtype == types_pb2.DT_STRING:
        proto.string_val.extend(decode_text(leaf) for leaf in leaves)
    elif dtype == types_pb2.DT_BOOL:
        _check_types(leaves, {bool}, dtype)
        proto.bool_val.extend(leaves)
    elif dtype in _INTEGERS:
        proto.tensor_content = _integers(leaves, dtype).tobytes()
    elif dtype in _FLOATS:
        proto.tensor_content = _floats(leaves, dtype).tobytes()
    else:
        raise ServingError(
            StatusCode.UNIMPLEMENTED, f"Conversion of JSON Value: {echo(value)} to type: {type_name(dtype)}"
        )
    return proto


def _check_types(leaves: list[Any], allowed: set[type], dtype: int) -> None:
    if not set(map(type, leaves)) <= allowed:
        raise _type_error(next(leaf for leaf in leaves if type(leaf) not in allowed), dtype)


def _type_error(leaf: Any, dtype: int) -> ServingError:
    return invalid_argument(
        f"JSON Value: {echo(leaf)} Type: {kind_of(leaf)} is not of expected type: {type_name(dtype)}"
    )


def _integers(leaves: list[Any], dtype: int) -> np.ndarray:
    _check_types(leaves, {int}, dtype)
    limits = _INTEGERS[dtype]
    if leaves and not limits.min <= min(leaves) <= max(leaves) <= limits.max:
        raise _type_error(next(leaf for leaf in leaves if not limits.min <= leaf <= limits.max), dtype)
    return np.array(leaves, limits.dtype)


def _floats(leaves: list[Any], dtype: int) -> np.ndarray:
    _check_types(leaves, {int, float}, dtype)
    limits = _FLOATS[dtype]
    # Beyond these a number would not arrive as it was sent; infinities are sent as such.
    largest, largest_exact = float(limits.max), 2 ** (limits.nmant + 1) - 1
    for leaf in leaves:
        too_large = abs(leaf) > largest_exact if type(leaf) is int else largest < abs(leaf) < np.inf
        if too_large:
            raise invalid_argument(
                f"Cannot convert JSON value: {echo(leaf)} to {type_name(dtype)} without loss of precision."
            )
    return np.array(leaves, limits.dtype)


def kind_of(value: Any) -> str:
    """Return the name of a JSON value's type, as TF Serving's errors have it."""
    return str(value) if isinstance(value, bool) else _TYPE_NAMES[type(value)]


def is_base64(value: Any) -> bool:
    """Say whether a JSON value is {"b64": "text"}, which stands for bytes."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def decode_text(leaf: Any) -> bytes:
    """Return the bytes that a JSON text, or a {"b64": …}, stands for."""
    if isinstance(leaf, str):
        try:
            return leaf.encode()
        except UnicodeEncodeError as error:
            raise invalid_argument("The surrogate pair in string is invalid.") from error
    if not isinstance(leaf, dict):
        raise _type_error(leaf, types_pb2.DT_STRING)
    if not is_base64(leaf):
        raise invalid_argument(f"JSON Value: {echo(leaf)} not formatted correctly for base64 data")
    try:
        text = "".join(leaf["b64"].split()).rstrip("=")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_argument("Unable to base64 decode") from error


def echo(value: Any) -> str:
    """Return the beginning of a JSON value as an error shows it."""
    pieces = itertools.islice(json.JSONEncoder(indent=4).iterencode(value), _ECHOED)
    return "".join(pieces)[:_ECHOED]


def flatten(value: Any) -> tuple[list[Any], tuple[int, ...]]:
    """Return the leaves of nested lists and their common shape."""
    shape: list[int] = []
    level = [value]
    while level and isinstance(level[0], list):
        if len(shape) >= MAX_DIMENSIONS:
            raise invalid_argument(f"A list is nested more than {MAX_DIMENSIONS} levels deep")
        size = len(level[0])
        for item in level:
            if not isinstance(item, list):
                raise invalid_argument(
                    f"JSON Value: {echo(item)} found at incorrect level: {len(shape) + 1} in the JSON DOM. "
                    f"Expected at level: {_depth(level[0]) + len(shape)}"
                )
            if len(item) != size:
                raise invalid_argument(
                    f"Encountered list at unexpected size: {len(item)} at level: {len(shape)} expected size: {size}"
                )
        shape.append(size)
        level = list(itertools.chain.from_iterable(level))
    for item in level:
        if isinstance(item, list):
            raise invalid_argument(f"Encountered list at unexpected level: {len(shape)} expected < {len(shape)}")
    return level, tuple(shape)


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list) and value:
        depth, value = depth + 1, value[0]
    return depth
