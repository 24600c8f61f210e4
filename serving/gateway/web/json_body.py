"""Read JSON bodies as models."""

from collections.abc import Sequence
from typing import Any, TypeVar

from flask import request
from flask_openapi.utils import parse_body
from pydantic import BaseModel, ValidationError

from serving.gateway.errors import BadRequest, Fault, Unprocessable, UnsupportedMediaType, pointer
from serving.gateway.web.bodies import JSON, check_encoding, read_body
from serving.gateway.web.context import gateway, incoming
from serving.gateway.web.problems import MOST_FAULTS
from serving.gateway.web.structure import Structure

CALL = Structure(20_000, 10_000)  # 1,000 exposures; each has an object, nine texts, five members, commas in texts
M = TypeVar("M", bound=BaseModel)


def read_json(model: type[M], *, optional: bool = False) -> M:
    """Return the body as `model`, or an `optional` one that is missing as its defaults; raise a GatewayError."""
    text = read_body(request.environ, request.path, gateway().settings)
    if optional and not text:
        return model()
    if (mimetype := incoming().mimetype) != JSON:
        given = f"Content-Type {mimetype!r}" if mimetype else "A missing Content-Type"
        raise UnsupportedMediaType(f"{given} is not read; send {JSON}.")
    check_encoding(incoming())
    CALL.check(text)
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise explained(error) from error


def documented(model: type[BaseModel], *, optional: bool = False) -> dict[str, Any]:
    """Document a body of `model`, whose schema comes from `schemas`."""
    return {
        "required": not optional,
        "content": {JSON: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}},
    }


def schemas(*models: type[BaseModel]) -> dict[str, Any]:
    """Return the schemas of bodies for a blueprint's `components_schemas`."""
    return {name: schema for model in models for name, schema in parse_body(model)[1].items()}


def explained(error: ValidationError) -> BadRequest | Unprocessable:
    """Return the error that names the faults of a body."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return BadRequest(f"The body is not JSON: {found[0]['msg'].removeprefix('Invalid JSON: ')}.")
    faults = [Fault(_place(each["loc"]), each["msg"].removeprefix("Value error, ")) for each in found[:MOST_FAULTS]]
    return Unprocessable(f"{faults[0].pointer or 'The body'}: {faults[0].detail}.", faults)


def _place(steps: Sequence[str | int]) -> str:
    """Return the JSON pointer to a fault; leave out a union's tags, written <…>."""
    return pointer(*(step for step in steps if not str(step).startswith("<")))
