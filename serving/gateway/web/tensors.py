"""Read images from TF Serving's JSON in each of its forms, and name the first place that is wrong."""

from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from pydantic_core import from_json

from serving.gateway.errors import BadRequest, Fault, Unprocessable, pointer
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.inference.prediction import UNCERTAINTY
from serving.gateway.inference.tf_serving.client import PLAIN
from serving.gateway.web.pixels import LEVELS, REMEDY, UNIT, Reading, from_unit
from serving.gateway.web.request import SHOWN

ROWS, COLUMNS, SIGNATURE, B64 = "instances", "inputs", "signature_name", "b64"
INPUT = "images"  # the signatures' input
OBJECT, LIST, INTEGER = "Input should be an object", "Input should be a valid array", "Input should be a valid integer"
ITEM = 'Input should be a list of rows of pixels, or {"b64": "…"} with an encoded image'
Path = tuple[str | int, ...]


class EncodedText(NamedTuple):
    """The base64 text of an encoded image, and its place as a JSON pointer."""

    place: str
    text: str


def read_tensors(body: bytes, image: ImageFormat, reading: Reading) -> tuple[list[bytes | EncodedText], str]:
    """Return each image of a JSON body, its pixels or its text, and where they are there.

    Raise BadRequest or Unprocessable.
    """
    try:
        document = from_json(body)
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise fault((), OBJECT)
    _check_signature(document, reading)
    path, items = _items(document)
    read = [_read(item, image, reading.scale, (*path, at), named=path == (ROWS,)) for at, item in enumerate(items)]
    return read, pointer(*path)


def _check_signature(document: dict[str, Any], reading: Reading) -> None:
    name = document.get(SIGNATURE, "")
    if not isinstance(name, str):
        raise fault((SIGNATURE,), "Input should be a valid string")
    if name not in ("", PLAIN, UNCERTAINTY):
        raise fault((SIGNATURE,), f"There is no signature {name[:SHOWN]!r}; there are {PLAIN}, {UNCERTAINTY}")
    if name == UNCERTAINTY != reading.signature:
        raise fault((SIGNATURE,), f"Ask signature {UNCERTAINTY!r} by POST /predict?uncertainty=true")


def _items(document: dict[str, Any]) -> tuple[Path, list[Any]]:
    """Return the images of either form with their path: rows of `instances`, or the tensor of `inputs`."""
    if ROWS in document and COLUMNS in document:
        raise fault((COLUMNS,), f"Send one of {ROWS!r} and {COLUMNS!r}, not both")
    path: Path = (COLUMNS,) if COLUMNS in document else (ROWS,)
    if path[0] not in document:
        raise fault(path, "Field required")
    items = document[path[0]]
    if isinstance(items, dict) and path == (COLUMNS,):
        path, items = (*path, INPUT), _input(items, path)
    if not isinstance(items, list):
        raise fault(path, LIST)
    if not items:
        raise fault(path, "List should have at least 1 item after validation, not 0")
    return path, items


def _input(inputs: dict[str, Any], path: Path) -> Any:
    """Return the one named input that there is."""
    for name in inputs:
        if name != INPUT:
            raise fault((*path, name[:SHOWN]), f"There is no input {name[:SHOWN]!r}; there is {INPUT!r}")
    if not inputs:
        raise fault((*path, INPUT), "Field required")
    return inputs[INPUT]


def _read(item: Any, image: ImageFormat, scale: int, path: Path, named: bool) -> bytes | EncodedText:
    if isinstance(item, list):
        values, place = _flat(item, image, path)
        return read_levels(values, scale, place)
    if not isinstance(item, dict):
        raise fault(path, ITEM)
    if named and item and B64 not in item:
        return _read(_input(item, path), image, scale, (*path, INPUT), named=False)
    text = item.get(B64)
    if not isinstance(text, str):
        raise fault((*path, B64), "Input should be a valid string" if B64 in item else "Field required")
    return EncodedText(pointer(*path, B64), text)


def _flat(item: list[Any], image: ImageFormat, path: Path) -> tuple[list[Any], Callable[[int], Path]]:
    """Return the pixels of [pixels], [height, width] or [height, width, 1], and the function to each one's path."""
    if len(item) == image.pixels and not isinstance(item[0], list):
        return item, lambda at: (*path, at)
    check_length(item, image.height, "rows", path)
    for number, row in enumerate(item):
        if not isinstance(row, list):
            raise fault((*path, number), LIST)
        check_length(row, image.width, "pixels", (*path, number))
    values = list(chain.from_iterable(item))
    channels = isinstance(values[0], list)

    def place(at: int) -> Path:
        return (*path, *divmod(at, image.width), *([0] if channels else []))

    if channels:
        for at, value in enumerate(values):
            if not isinstance(value, list):
                raise fault(place(at)[:-1], LIST)
            check_length(value, 1, "channel", place(at)[:-1])
        values = [value for (value,) in values]
    return values, place


def read_levels(values: list[Any], scale: int, place: Callable[[int], Path]) -> bytes:
    """Return the grey levels of numbers; raise Unprocessable for the first that is none."""
    if set(map(type, values)) <= {int, float}:  # a boolean is of neither type
        with suppress(OverflowError):  # an integer beyond all floats
            floats = np.array(values, float)
            if ((floats >= 0) & (floats <= scale)).all():
                if scale == UNIT:
                    return from_unit(floats)
                fractions = np.flatnonzero(floats % 1)
                if not fractions.size:
                    return floats.astype(np.uint8).tobytes()
                if floats.max() <= UNIT:
                    raise fault(place(int(fractions[0])), f"{INTEGER}: the pixels look scaled to 0…1. {REMEDY}")
    at, detail = next((at, detail) for at, value in enumerate(values) if (detail := _wrong(value, scale)))
    raise fault(place(at), detail)


def _wrong(value: Any, scale: int) -> str | None:
    """Return the fault of a pixel, None for a right one."""
    if type(value) not in (int, float) or value != value or (scale == LEVELS and value % 1 != 0):
        return INTEGER if scale == LEVELS else "Input should be a valid number"
    if value < 0:
        return "Input should be greater than or equal to 0"
    return f"Input should be less than or equal to {scale}" if value > scale else None


def check_length(found: list[Any], right: int, things: str, path: Path) -> None:
    """Raise Unprocessable for a list that has not `right` things."""
    if len(found) != right:
        raise fault(path, f"Input should have {right} {things}, not {len(found)}")


def fault(path: Path, detail: str) -> Unprocessable:
    """Return the error with a place of a body."""
    place = pointer(*path)
    return Unprocessable(f"{place or 'The body'}: {detail}.", [Fault(place, detail)])
