import numpy as np
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.model_server.errors import ServingError
from serving.model_server.inference import tensors
from serving.model_server.rest import json_input, json_tensors


def infos(**types: str) -> dict[str, meta_graph_pb2.TensorInfo]:
    return {
        name: meta_graph_pb2.TensorInfo(dtype=types_pb2.DataType.Value(f"DT_{kind.upper()}"))
        for name, kind in types.items()
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b" ", "JSON Parse error: The document is empty"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a": 1 2}', "Missing a comma or a closing bracket after a value. at offset: 8"),
        (b"{a: 1}", "Missing a name for object member. at offset: 1"),
        (b'{"a": "', "Missing a closing quotation mark in string. at offset: 6"),
        (b'{"a": "\\x"}', "Invalid escape character in string. at offset: 7"),
        (b'{"a": "\\uzzzz"}', "Incorrect hex digit after .* at offset: 8"),
        (b'{"a": "\xff"}', "Invalid encoding in string. at offset: 7"),
        (b'{"a": 1} x', "The document root must not be followed by other values. at offset: 9"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"1" * 10_000, "a number too long"),
        (b"[]", r"JSON Value: \[\] Is not object"),
    ],
)
def test_anything_but_a_json_object_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(ServingError, match=message):
        json_input.parse(body)


def test_the_echo_of_a_value_ends() -> None:
    assert len(json_tensors.echo(list(range(10**6)))) <= 200
    assert len(json_tensors.echo("x" * 10**6)) <= 200


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("float", [1, 2.5, -16777215], [1.0, 2.5, -16777215.0]),
        ("double", [[1e300, 9007199254740991]], [[1e300, 9007199254740991.0]]),
        ("uint8", [[0], [255]], [[0], [255]]),
        ("int64", -(2**63), -(2**63)),
        ("uint64", 2**64 - 1, 2**64 - 1),
        ("bool", [True, False], [True, False]),
        ("string", ["a", {"b64": "aGVsbG8"}, {"b64": " aGVsbG8= "}], [b"a", b"hello", b"hello"]),
        ("float", [], []),
        ("float", [[], []], [[], []]),
    ],
)
def test_values_are_typed_by_the_signature(kind: str, value: object, expected: object) -> None:
    proto = json_tensors.make_tensor(value, types_pb2.DataType.Value(f"DT_{kind.upper()}"))
    assert tensors.decode(proto).tolist() == expected


def test_numbers_without_digits_are_taken() -> None:
    values = json_input.parse(b'{"a": [NaN, Infinity, -Infinity]}')["a"]
    array = tensors.decode(json_tensors.make_tensor(values, types_pb2.DT_FLOAT))
    np.testing.assert_array_equal(array, np.array([np.nan, np.inf, -np.inf], np.float32))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("float", "x", 'JSON Value: "x" Type: String is not of expected type: float'),
        ("float", None, "JSON Value: null Type: Null is not of expected type: float"),
        ("float", True, "JSON Value: true Type: True is not of expected type: float"),
        ("float", {"a": 1}, "Type: Object is not of expected type: float"),
        ("float", 1e39, "Cannot convert JSON value: 1e[+]39 to float without loss of precision."),
        ("float", 10**400, "Cannot convert JSON value: 10+ to float without loss of precision."),
        ("double", 9007199254740993, "Cannot convert JSON value: 9007199254740993 to double without loss"),
        ("int32", 1.0, "JSON Value: 1.0 Type: Number is not of expected type: int32"),
        ("int32", 2**31, "JSON Value: 2147483648 Type: Number is not of expected type: int32"),
        ("uint8", False, "JSON Value: false Type: False is not of expected type: uint8"),
        ("bool", 1, "JSON Value: 1 Type: Number is not of expected type: bool"),
        ("string", 1, "JSON Value: 1 Type: Number is not of expected type: string"),
        ("string", {"b64": 1}, "not formatted correctly for base64 data"),
        ("string", {"b64": "%"}, "Unable to base64 decode"),
        ("string", "\ud800", "The surrogate pair in string is invalid."),
        ("half", 1, "Conversion of JSON Value: 1 to type: half"),
        ("float", [[1], 2], "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ("float", [1, [2]], "Encountered list at unexpected level: 1 expected < 1"),
        ("float", [[1], [2, 3]], "Encountered list at unexpected size: 2 at level: 1 expected size: 1"),
    ],
)
def test_values_of_another_type_or_shape_are_refused(kind: str, value: object, message: str) -> None:
    with pytest.raises(ServingError, match=message):
        json_tensors.make_tensor(value, types_pb2.DataType.Value(f"DT_{kind.upper()}"))


def test_lists_nested_deeper_than_a_tensor_are_refused() -> None:
    value: object = 1
    for _ in range(900):
        value = [value]
    with pytest.raises(ServingError, match="A list is nested more than 32 levels deep"):
        json_tensors.make_tensor(value, types_pb2.DT_FLOAT)


def test_rows_and_columns_make_the_same_tensors() -> None:
    types = infos(a="int32", b="string")
    rows, in_rows = json_input.tensors_of({"instances": [{"a": [1], "b": "x"}, {"a": [2], "b": "y"}]}, types)
    columns, in_columns = json_input.tensors_of({"inputs": {"a": [[1], [2]], "b": ["x", "y"]}}, types)
    assert rows == columns
    assert (in_rows, in_columns) == (True, False)


def test_one_input_needs_no_name() -> None:
    types = infos(a="string")
    named, _ = json_input.tensors_of({"inputs": {"a": {"b64": "aGk="}}}, types)
    assert json_input.tensors_of({"inputs": {"b64": "aGk="}}, types)[0] == named
    assert tensors.decode(named["a"]).tolist() == b"hi"


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([[1, 2], [[3], [4]]], r"Failed to process element: 1 .* Expecting shape \[2\] but got: \[2,1\]"),
        ([1, "x"], r"Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: \"x\""),
        ([{"a": 1}, {"a": "x"}], "Failed to process element: 1 key: a of 'instances' list."),
        ([{"a": 1}, {}], "Failed to process element: 1 of 'instances' list. JSON object: {} keys must be equal to: a"),
    ],
)
def test_the_row_that_is_wrong_is_named(instances: list[object], message: str) -> None:
    with pytest.raises(ServingError, match=message):
        json_input.tensors_of({"instances": instances}, infos(a="int32"))
