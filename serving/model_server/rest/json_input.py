"""REST bodies: JSON into requests, with TF Serving's rules on types and shapes and its words."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.model_server.errors import ServingError, invalid_argument
from serving.model_server.rest.json_tensors import echo, flatten, is_base64, make_tensor

TensorInfos = Mapping[str, meta_graph_pb2.TensorInfo]
# Python's words for a syntax error → those of TF Serving's parser.
_SYNTAX = {
    "Expecting value": "Invalid value.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting ',' delimiter": "Missing a comma or a closing bracket after a value.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
    "Extra data": "The document root must not be followed by other values.",
}


def parse(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`; NaN and Infinity are numbers, and nesting has an end."""
    if not body.strip():
        raise invalid_argument("JSON Parse error: The document is empty. at offset: 0")
    try:
        document = json.loads(body.decode())
    except UnicodeDecodeError as error:
        raise invalid_argument(f"JSON Parse error: Invalid encoding in string. at offset: {error.start}") from error
    except json.JSONDecodeError as error:
        text = _SYNTAX.get(error.msg, f"{error.msg}.")
        raise invalid_argument(f"JSON Parse error: {text} at offset: {error.pos}") from error
    except (RecursionError, ValueError) as error:
        raise invalid_argument(f"JSON Parse error: nested too deeply, or a number too long ({error})") from error
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {echo(document)} Is not object")
    return document


def signature_name(document: dict[str, Any]) -> str:
    """Return the signature that a body names, or an empty text."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {echo(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def tensors_of(document: dict[str, Any], infos: TensorInfos) -> tuple[dict[str, tensor_pb2.TensorProto], bool]:
    """Return the inputs of a predict body, and whether it is in row form (`instances`)."""
    if "instances" in document and "inputs" in document:
        raise _format_error(
            document, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        )
    if "instances" in document:
        rows = document["instances"]
        if not isinstance(rows, list):
            raise _format_error(document, "Excepting 'instances' to be an list/array")
        if not rows:
            raise _format_error(document, "No values in 'instances' array")
        return _from_rows(rows, infos), True
    if "inputs" in document:
        return _from_columns(document["inputs"], infos), False
    raise invalid_argument("Missing 'inputs' or 'instances' key")


def _format_error(value: Any, message: str) -> ServingError:
    return invalid_argument(f"JSON Value: {echo(value)} {message}")


def _from_columns(value: Any, infos: TensorInfos) -> dict[str, tensor_pb2.TensorProto]:
    if not isinstance(value, dict) or is_base64(value):
        if len(infos) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required "
                "as per tensorinfo_map"
            )
        value = {next(iter(infos)): value}
    for name in infos:
        if name not in value:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
    return {name: make_tensor(value[name], info.dtype) for name, info in infos.items()}


def _from_rows(rows: list[Any], infos: TensorInfos) -> dict[str, tensor_pb2.TensorProto]:
    named = isinstance(rows[0], dict) and not is_base64(rows[0])
    if not named and len(infos) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required "
            "as per tensorinfo_map"
        )
    for number, row in enumerate(rows):
        if named != (isinstance(row, dict) and not is_base64(row)):
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise invalid_argument(f"Expecting {expected} but got {got} at item {number} of input list")
        if named and set(row) != set(infos):
            for name in row:
                if name not in infos:
                    raise invalid_argument(f"{_element(number, name)}: JSON object: does not have named input: {name}")
            raise invalid_argument(
                f"Failed to process element: {number} of 'instances' list. JSON object: {echo(row)} "
                f"keys must be equal to: {','.join(sorted(infos))}"
            )
    if named:
        return {name: _stack([row[name] for row in rows], info.dtype, name) for name, info in infos.items()}
    name, info = next(iter(infos.items()))
    return {name: _stack(rows, info.dtype, "")}


def _element(number: int, name: str) -> str:
    key = f" key: {name}" if name else ""
    return f"Failed to process element: {number}{key} of 'instances' list. Error: INVALID_ARGUMENT"


def _stack(rows: list[Any], dtype: int, name: str) -> tensor_pb2.TensorProto:
    """Return the rows as one tensor; search for the faulty row only after a failure."""
    try:
        return make_tensor(rows, dtype)
    except ServingError as error:
        first: tuple[int, ...] | None = None
        for number, row in enumerate(rows):
            try:
                _, shape = flatten(row)
                make_tensor(row, dtype)
            except ServingError as cause:
                raise ServingError(cause.code, f"{_element(number, name)}: {cause.message}") from cause
            first = shape if first is None else first
            if shape != first:
                raise invalid_argument(f"{_element(number, name)}: {_mismatch(first, shape)}") from error
        raise


def _mismatch(first: tuple[int, ...], shape: tuple[int, ...]) -> str:
    if np.prod(first) != np.prod(shape):
        return f"Expecting tensor size: {int(np.prod(first))} but got: {int(np.prod(shape))}"
    return f"Expecting shape {_shape_text(first)} but got: {_shape_text(shape)}"


def _shape_text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
