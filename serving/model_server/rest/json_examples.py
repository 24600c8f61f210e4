"""Bodies of classify and regress: JSON objects into tf.Examples, each feature typed by its values."""

from typing import Any

from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow_serving.apis import classification_pb2, regression_pb2

from serving.model_server.errors import invalid_argument
from serving.model_server.rest.json_input import signature_name
from serving.model_server.rest.json_tensors import decode_text, echo, is_base64, kind_of

_INT64 = range(-(2**63), 2**63)
_KIND_OF_TYPE = {bool: "int64", int: "int64", float: "float", str: "bytes", dict: "bytes"}


def fill(
    request: classification_pb2.ClassificationRequest | regression_pb2.RegressionRequest, document: dict[str, Any]
) -> None:
    """Put the examples and the signature of a body into `request`."""
    request.model_spec.signature_name = signature_name(document)
    examples = document.get("examples")
    if examples is None:
        raise invalid_argument(
            f"JSON Value: {echo(document)} When method is classify, key 'examples' is expected and was not found"
        )
    if not isinstance(examples, list):
        raise invalid_argument(f"JSON Value: {echo(document)} Expecting 'examples' value to be an list/array")
    if not examples:
        raise invalid_argument(f"JSON Value: {echo(document)} 'examples' value is an empty array")
    if "context" in document:
        request.input.example_list_with_context.context.CopyFrom(_example(document["context"]))
        request.input.example_list_with_context.examples.extend(_example(value) for value in examples)
    else:
        request.input.example_list.examples.extend(_example(value) for value in examples)


def _example(value: Any) -> example_pb2.Example:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {kind_of(value)}")
    features = {
        name: _feature(name, content if isinstance(content, list) else [content]) for name, content in value.items()
    }
    return example_pb2.Example(features=feature_pb2.Features(feature=features))


def _feature(name: str, values: list[Any]) -> feature_pb2.Feature:
    for value in values:
        if type(value) not in _KIND_OF_TYPE or (isinstance(value, dict) and not is_base64(value)):
            raise invalid_argument(f"Feature: {name} has element with unexpected JSON type: {kind_of(value)}")
        if _KIND_OF_TYPE[type(value)] != _KIND_OF_TYPE[type(values[0])]:
            raise invalid_argument(
                f"Unexpected element type in feature: {name} expecting type: {_KIND_OF_TYPE[type(values[0])]}"
            )
        if isinstance(value, int) and value not in _INT64:
            raise invalid_argument(f"Feature: {name} has element {echo(value)}. Only int64 is supported.")
    kind = _KIND_OF_TYPE[type(values[0])] if values else ""
    if kind == "int64":
        return feature_pb2.Feature(int64_list=feature_pb2.Int64List(value=map(int, values)))
    if kind == "float":
        return feature_pb2.Feature(float_list=feature_pb2.FloatList(value=values))
    if kind == "bytes":
        return feature_pb2.Feature(bytes_list=feature_pb2.BytesList(value=map(decode_text, values)))
    return feature_pb2.Feature()
