"""Read `{"instances": […]}`, the JSON form of images."""

from collections.abc import Iterable
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Discriminator, Field, Tag, ValidationError

from serving.gateway.errors import BadRequest, Fault, TooLarge, Unprocessable, pointer
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.web.structure import Structure

Pixel = Annotated[int, Field(strict=True, ge=0, le=255)]
Row = Annotated[list[Pixel], Field(fail_fast=True)]
Rows = Annotated[list[Row], Field(fail_fast=True, description="An image, row by row, of the manifest's size")]
SLACK = 1000  # brackets, braces and quotes of a body beside its images

PIXELS, ENCODED = "pixels", "encoded"


class EncodedImage(BaseModel):
    """An encoded image."""

    b64: Annotated[str, Field(strict=True, description="A PNG, JPEG, WebP, BMP or GIF file, base64-encoded")]


def _kind(item: object) -> str | None:
    return PIXELS if isinstance(item, list) else ENCODED if isinstance(item, dict | EncodedImage) else None


Item = Annotated[
    Annotated[Rows, Tag(PIXELS)] | Annotated[EncodedImage, Tag(ENCODED)],
    Discriminator(
        _kind,
        custom_error_type="item",
        custom_error_message='Input should be a list of rows of pixels, or {"b64": "…"} with an encoded image',
    ),
]


class Instances(BaseModel):
    """Images; keys other than `instances` are ignored."""

    instances: Annotated[list[Item], Field(min_length=1, fail_fast=True)]


def read_instances(body: bytes, image: ImageFormat, most: int) -> list[bytes | str]:
    """Return each of at most `most` images: its pixels as bytes, or its base64 text; raise a GatewayError otherwise."""
    Structure(SLACK + most * (image.height + 6), SLACK + most * (image.pixels + 1)).check(body)
    try:
        items = list(_packed(_parsed(body), image))
    except (LookupError, TypeError, ValueError, OverflowError):
        items = list(_checked(body, image))
    if len(items) > most:
        raise TooLarge(f"There are {len(items):,} instances; at most {most:,} are taken.")
    return items


def _parsed(body: bytes) -> list[Any]:
    if b"true" in body or b"false" in body:
        raise TypeError("bytes() below would take a boolean for a number")
    instances = orjson.loads(body)["instances"]
    if type(instances) is not list or not instances:
        raise TypeError("not a list of images")
    return instances


def _packed(instances: list[Any], image: ImageFormat) -> Iterable[bytes | str]:
    """Pack what is right, at the speed of bytes(); raise LookupError, TypeError, ValueError or OverflowError if not."""
    for item in instances:
        if type(item) is dict and type(item["b64"]) is str:
            yield item["b64"]
            continue
        if len(item) != image.height or set(map(len, item)) != {image.width}:
            raise ValueError("not the shape of an image")
        yield b"".join(map(bytes, item))


def _checked(body: bytes, image: ImageFormat) -> Iterable[bytes | str]:
    """Do the same thoroughly, and raise an error that names the first place that is wrong."""
    try:
        instances = Instances.model_validate_json(body).instances
    except ValidationError as error:
        raise _explained(error) from error
    for at, item in enumerate(instances):
        if isinstance(item, EncodedImage):
            yield item.b64
            continue
        _check_length(item, image.height, "rows", "instances", at)
        for number, row in enumerate(item):
            _check_length(row, image.width, "pixels", "instances", at, number)
        yield b"".join(map(bytes, item))


def _check_length(found: list[Any], right: int, things: str, *place: str | int) -> None:
    if len(found) != right:
        fault = Fault(pointer(*place), f"Input should have {right} {things}, not {len(found)}")
        raise Unprocessable(f"{fault.pointer}: {fault.detail}.", [fault])


def _explained(error: ValidationError) -> BadRequest | Unprocessable:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return BadRequest(f"The body is not JSON: {first['msg'].removeprefix('Invalid JSON: ')}.")
    place = pointer(*(step for step in first["loc"] if step not in (PIXELS, ENCODED)))
    return Unprocessable(f"{place or 'The body'}: {first['msg']}.", [Fault(place, first["msg"])])
