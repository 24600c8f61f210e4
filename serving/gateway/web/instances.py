"""Read the JSON form of images, which is TF Serving's: today's usual form at the speed of bytes()."""

from collections.abc import Iterable
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field, RootModel

from serving.gateway.errors import TooLarge
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.inference.tf_serving.client import PLAIN
from serving.gateway.web.pixels import AS_SENT, LEVELS, Reading, check_scale
from serving.gateway.web.structure import Structure
from serving.gateway.web.tensors import COLUMNS, ROWS, SIGNATURE, EncodedText, read_tensors

SLACK = 1000  # brackets, braces and quotes of a body beside its images
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Pixel = Annotated[float, Field(ge=0, le=LEVELS, description="A whole number; with ?scale=1 a number of 0…1")]
Row = list[Pixel]
Rows = Annotated[list[Row], Field(description="An image, row by row, of the manifest's size")]
Flat = Annotated[list[Pixel], Field(description="An image, its rows one after another")]
Channels = Annotated[
    list[list[Annotated[list[Pixel], Field(min_length=1, max_length=1)]]],
    Field(description="An image, row by row, each pixel in a list of its own"),
]


class EncodedImage(BaseModel):
    """An encoded image."""

    b64: Annotated[str, Field(description="A PNG, JPEG, WebP, BMP or GIF file, base64-encoded, padded or not")]


Image = Rows | Flat | Channels | EncodedImage


class NamedRow(BaseModel):
    """An image by the name of the signature's input."""

    images: Image


class NamedColumn(BaseModel):
    """Images by the name of the signature's input."""

    images: Annotated[list[Image], Field(min_length=1)]


class InRows(BaseModel):
    """Images in TF Serving's row form; other keys are ignored."""

    instances: Annotated[list[Image | NamedRow], Field(min_length=1)]
    signature_name: str = PLAIN


class InColumns(BaseModel):
    """Images in TF Serving's column form; other keys are ignored."""

    inputs: Annotated[list[Image], Field(min_length=1)] | NamedColumn
    signature_name: str = PLAIN


class Instances(RootModel[InRows | InColumns]):
    """Images. This documents them; read_tensors() checks them."""


def read_instances(body: bytes, image: ImageFormat, most: int, reading: Reading = AS_SENT) -> list[bytes | EncodedText]:
    """Return each of at most `most` images: its pixels as bytes, or its base64 text; raise a GatewayError otherwise."""
    body = body.removeprefix(BYTE_ORDER_MARK)
    structure_of(image, most).check(body)
    try:
        items, place = list(_packed(_parsed(body, reading), image)), f"/{ROWS}"
    except (LookupError, TypeError, ValueError, OverflowError):
        items, place = read_tensors(body, image, reading)
    if len(items) > most:
        raise TooLarge(f"There are {len(items):,} instances; at most {most:,} are taken.")
    if reading.scale == LEVELS:
        check_scale([item for item in items if type(item) is bytes], place)
    return items


def structure_of(image: ImageFormat, most: int) -> Structure:
    """Return the most structure of JSON with `most` images."""
    return Structure(SLACK + most * (image.height + 6), SLACK + most * (image.pixels + 1))


def _parsed(body: bytes, reading: Reading) -> list[Any]:
    if reading.scale != LEVELS or b"true" in body or b"false" in body:
        raise TypeError("bytes() below would take a boolean for a number")
    document = orjson.loads(body)
    instances = document[ROWS]
    if type(instances) is not list or not instances or document.get(SIGNATURE, PLAIN) != PLAIN or COLUMNS in document:
        raise TypeError("not a list of images")
    return instances


def _packed(instances: list[Any], image: ImageFormat) -> Iterable[bytes | EncodedText]:
    """Pack what is right, at the speed of bytes(); raise LookupError, TypeError, ValueError or OverflowError if not."""
    for at, item in enumerate(instances):
        if type(item) is dict and type(item["b64"]) is str:
            yield EncodedText(f"/{ROWS}/{at}/b64", item["b64"])
            continue
        if len(item) != image.height or set(map(len, item)) != {image.width}:
            raise ValueError("not the shape of an image")
        yield b"".join(map(bytes, item))
