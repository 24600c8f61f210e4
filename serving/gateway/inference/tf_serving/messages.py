"""Build and read the messages of TF Serving's protocol."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.gateway.imaging.raster import Place
from serving.gateway.inference.tf_serving import wire_pb2 as wire

MOST_VALUES = 2**24  # of one tensor: what a 64 MiB message can hold


@dataclass(frozen=True, slots=True)
class Images:
    """Images as the models take them: `count` × `height` × `width` bytes, one a pixel, row by row.

    `places` tells of each where it was found, if pictures were split into digits.
    """

    pixels: bytes
    count: int
    height: int
    width: int
    places: tuple[Place, ...] = ()


def predict_request(model: str, signature: str, images: Images, samples: int | None = None) -> wire.PredictRequest:
    """Return the request for `signature` of `model`; `samples` is the number of passes of a signature that takes it."""
    request = wire.PredictRequest(model_spec=wire.ModelSpec(name=model, signature_name=signature))
    if samples is not None:
        request.inputs["samples"].CopyFrom(wire.Tensor(dtype=wire.DT_INT32, int_val=[samples]))
    tensor = request.inputs["images"]
    tensor.dtype = wire.DT_UINT8
    for side in (images.count, images.height, images.width):
        tensor.tensor_shape.dim.add().size = side
    tensor.tensor_content = images.pixels
    return request


def status_request(model: str) -> wire.GetModelStatusRequest:
    """Return the request for the states of all versions of `model`."""
    return wire.GetModelStatusRequest(model_spec=wire.ModelSpec(name=model))


def read_floats(tensor: wire.Tensor) -> NDArray[np.float32]:
    """Return a float tensor as an array of its shape; raise ValueError if it is none, or a value is not finite."""
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    size = math.prod(shape)
    if not 0 <= size <= MOST_VALUES:
        raise ValueError(f"a tensor of shape {shape}")
    if tensor.dtype != wire.DT_FLOAT:
        raise ValueError(f"a tensor of type {tensor.dtype} where floats belong")
    if tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, "<f4")
    else:
        values = np.array(tensor.float_val, np.float32)
    if 0 < len(values) < size and not tensor.tensor_content:
        values = np.pad(values, (0, size - len(values)), mode="edge")  # a short list repeats its last value
    if len(values) != size:
        raise ValueError(f"a tensor of shape {shape} with {len(values)} values")
    if not np.isfinite(values).all():
        raise ValueError("a tensor with values that are not finite")
    return values.reshape(shape)
