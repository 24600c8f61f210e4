"""Read requests of the Open Inference Protocol v2: JSON, or a head of JSON with the raw bytes of a tensor behind it."""

from collections.abc import Collection
from itertools import chain
from math import prod
from typing import Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from serving.gateway.errors import BadRequest, TooLarge
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.uploads import Effort, Heavy
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.settings import Settings
from serving.gateway.web.bodies import check_encoding
from serving.gateway.web.instances import structure_of
from serving.gateway.web.json_body import explained
from serving.gateway.web.pixels import LEVELS, check_scale, read_octets
from serving.gateway.web.request import SHOWN, Request
from serving.gateway.web.tensors import INPUT, LIST, Path, check_length, fault, read_levels

DATATYPE = "UINT8"
HEAD_LENGTH = "Inference-Header-Content-Length"
DATA: Path = ("inputs", 0, "data")
PARAMETERS = "Parameters of the protocol's extensions; those that are not read are ignored"
# Parameters that ask for another way of data or answers than there is.
REFUSED = ("shared_memory_region", "classification")


class InferInput(BaseModel):
    """The input tensor."""

    name: str = Field(description=f"{INPUT!r}")
    datatype: str = Field(description=f"{DATATYPE!r}: pixels of 0…255")
    shape: list[int] = Field(description="[n, height, width], [n, height × width] or [n, height, width, 1]")
    parameters: dict[str, Any] | None = Field(
        None, description=f"{PARAMETERS}. `binary_data_size`: the bytes behind the head, in place of `data`"
    )
    data: list[Any] | None = Field(None, description="Whole numbers, flat or nested as `shape` says")


class InferOutput(BaseModel):
    """An output that the client wants."""

    name: str
    parameters: dict[str, Any] | None = Field(
        None, description=f"{PARAMETERS}. `binary_data`: whether it comes as bytes behind the head"
    )


class InferRequest(BaseModel):
    """Images in the form of the Open Inference Protocol v2; other keys are ignored."""

    id: str | None = Field(None, description="Repeated in the answer")
    parameters: dict[str, Any] | None = Field(
        None, description=f"{PARAMETERS}. `binary_data_output`: whether outputs come as bytes by default"
    )
    inputs: list[InferInput] = Field(min_length=1, max_length=1)
    outputs: list[InferOutput] | None = Field(None, description="All outputs if not given")


class Wanted(NamedTuple):
    """The outputs that a client wants, each as bytes or not, and the id of its request.

    Without `outputs` all are wanted, as `binary` says. `version` is None where any may answer.
    """

    id: str | None
    outputs: dict[str, bool]
    binary: bool
    version: int | None


def read_infer(
    request: Request, image: ImageFormat, settings: Settings, effort: Effort, scale: int, known: Collection[str],
    version: int | None,
) -> tuple[Images, Wanted]:  # fmt: skip
    """Return the images of a request, and the outputs of the `known` ones that it wants; raise a GatewayError.

    Raise Heavy for JSON beyond `effort`.
    """
    check_encoding(request)
    head, raw = _parts(request)
    if len(head) > effort.body_bytes:
        raise Heavy
    structure_of(image, settings.max_instances).check(head)
    try:
        found = InferRequest.model_validate_json(head, strict=True)
    except ValidationError as error:
        raise explained(error) from error
    wanted = _wanted(found, known, version)
    count = _count(found.inputs[0], image, settings.max_instances)
    pixels = _pixels(found.inputs[0], raw, count, image, scale)
    return Images(pixels, count, image.height, image.width), wanted


def _parts(request: Request) -> tuple[bytes, bytes]:
    """Return the JSON of a body, and the bytes behind it."""
    given = request.headers.get(HEAD_LENGTH.lower())
    if given is None:
        return request.body, b""
    if not (given.isascii() and given.isdigit()) or len(given) > len(str(len(request.body))):
        raise BadRequest(f"{HEAD_LENGTH} is {given[:SHOWN]!r}; send the length of the JSON, in bytes.")
    if int(given) > len(request.body):
        raise BadRequest(f"{HEAD_LENGTH} is {given}, and the body has {len(request.body):,} bytes.")
    return request.body[: int(given)], request.body[int(given) :]


def _wanted(found: InferRequest, known: Collection[str], version: int | None) -> Wanted:
    outputs: dict[str, bool] = {}
    binary = bool((found.parameters or {}).get("binary_data_output"))
    for at, output in enumerate(found.outputs or ()):
        if output.name not in known:
            detail = f"There is no output {output.name[:SHOWN]!r} here; there are {', '.join(known)}"
            raise fault(("outputs", at, "name"), detail)
        if output.name in outputs:
            raise fault(("outputs", at, "name"), f"Output {output.name!r} is named twice")
        parameters = output.parameters or {}
        _check_parameters(parameters, ("outputs", at))
        outputs[output.name] = bool(parameters.get("binary_data", binary))
    return Wanted(found.id, outputs, binary, version)


def _check_parameters(parameters: dict[str, Any], path: Path) -> None:
    for name in REFUSED:
        if name in parameters:
            raise fault((*path, "parameters", name), "This extension is not offered; leave it out")


def _count(tensor: InferInput, image: ImageFormat, most: int) -> int:
    """Return the number of images of the input tensor, whose head must be right."""
    if tensor.name != INPUT:
        raise fault(("inputs", 0, "name"), f"There is no input {tensor.name[:SHOWN]!r}; there is {INPUT!r}")
    if tensor.datatype != DATATYPE:
        detail = f"Input should be {DATATYPE!r}, not {tensor.datatype[:SHOWN]!r}: pixels of 0…{LEVELS}"
        raise fault(("inputs", 0, "datatype"), detail)
    height, width = image.height, image.width
    if not tensor.shape or tensor.shape[1:] not in ([height, width], [image.pixels], [height, width, 1]):
        detail = f"Input should be [n, {height}, {width}], [n, {image.pixels}] or [n, {height}, {width}, 1]"
        raise fault(("inputs", 0, "shape"), detail)
    count = tensor.shape[0]
    if count < 1:
        raise fault(("inputs", 0, "shape", 0), "Input should be greater than or equal to 1")
    if count > most:
        raise TooLarge(f"There are {count:,} images; at most {most:,} are taken.")
    return count


def _pixels(tensor: InferInput, raw: bytes, count: int, image: ImageFormat, scale: int) -> bytes:
    """Return the grey levels of the input tensor, whose data is in the JSON or behind it."""
    parameters = tensor.parameters or {}
    _check_parameters(parameters, ("inputs", 0))
    size = parameters.get("binary_data_size")
    if size is None:
        if raw:
            raise BadRequest(f"Behind the JSON are {len(raw):,} bytes; give their number as 'binary_data_size'.")
        if tensor.data is None:
            raise fault(DATA, "Field required")
        return _of_json(tensor.data, tensor.shape, scale)
    place: Path = ("inputs", 0, "parameters", "binary_data_size")
    if tensor.data is not None:
        raise fault(DATA, "Send 'data' or 'binary_data_size', not both")
    if type(size) is not int or size != count * image.pixels:
        raise fault(place, f"Input should be {count * image.pixels:,}, a byte a pixel of the shape")
    if len(raw) != size:
        raise BadRequest(f"Behind the JSON are {len(raw):,} bytes, and 'binary_data_size' is {size:,}.")
    return read_octets(raw, image, scale, count)


def _of_json(data: list[Any], shape: list[int], scale: int) -> bytes:
    nested = bool(data) and isinstance(data[0], list)
    values = _flat(data, shape, DATA) if nested else data
    check_length(values, prod(shape), "values", DATA)

    def place(at: int) -> Path:
        steps: list[int] = []
        for side in reversed(shape if nested else ()):
            at, step = divmod(at, side)
            steps.append(step)
        return (*DATA, *reversed(steps)) if nested else (*DATA, at)

    pixels = read_levels(values, scale, place)
    if scale == LEVELS:
        check_scale([pixels], "/inputs/0/data")
    return pixels


def _flat(data: list[Any], shape: list[int], path: Path) -> list[Any]:
    """Return the numbers of nested lists."""
    check_length(data, shape[0], "items", path)
    if len(shape) == 1:
        return data
    for at, item in enumerate(data):
        if not isinstance(item, list):
            raise fault((*path, at), LIST)
    return list(chain.from_iterable(_flat(item, shape[1:], (*path, at)) for at, item in enumerate(data)))
