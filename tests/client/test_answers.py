"""The client's types fit the description of the API."""

import json
import types
import typing
from typing import Any

import pytest
from dropserve import answers

from testing.machine import ROOT

SCHEMAS = json.loads((ROOT / "docs/openapi.json").read_text())["components"]["schemas"]
SENT = ("ExperimentSpec", "FeedbackItem")
TYPES = {name: each for name, each in vars(answers).items() if typing.is_typeddict(each)}
JSON = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}


def named(schema: Any) -> set[str]:
    """Return the types that a schema allows; a reference stands for itself."""
    if "anyOf" in schema:
        return {each for part in schema["anyOf"] for each in named(part)}
    return {schema["$ref"].rpartition("/")[2]} if "$ref" in schema else {schema["type"]}


def annotated(kind: Any) -> set[str]:
    """Return the same of an annotation."""
    origin = typing.get_origin(kind)
    if origin in (typing.NotRequired, typing.Required):
        return annotated(typing.get_args(kind)[0])
    if origin in (types.UnionType, typing.Union):
        return {each for part in typing.get_args(kind) for each in annotated(part)}
    if origin is typing.Literal:
        return {"string"}
    if origin in (list, dict):
        return {"array" if origin is list else "object"}
    return {kind.__name__ if typing.is_typeddict(kind) else JSON[kind]}


@pytest.mark.parametrize("name", TYPES)
def test_a_type_fits_the_schema_of_its_name(name: str) -> None:
    schema, kind = SCHEMAS[name], TYPES[name]
    hints = typing.get_type_hints(kind, include_extras=True)
    assert {field: annotated(hint) for field, hint in hints.items()} == {
        field: named(schema["properties"][field]) for field in hints
    }
    required = set(schema["required"])
    assert required <= kind.__required_keys__ if name in SENT else kind.__required_keys__ <= required
