"""TensorProto to numpy and back, with limits: what a client declares is not what it gets to allocate."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2

MAX_DIMENSIONS = 32
# A short value list repeats its last value over the declared shape; this is as large as the result may become.
MAX_REPEATED_BYTES = 64 << 20

_FIELDS = {
    tf.float32: "float_val", tf.float64: "double_val", tf.int32: "int_val", tf.int16: "int_val", tf.int8: "int_val",
    tf.uint8: "int_val", tf.uint16: "int_val", tf.int64: "int64_val", tf.bool: "bool_val", tf.uint32: "uint32_val",
    tf.uint64: "uint64_val", tf.string: "string_val", tf.float16: "half_val", tf.bfloat16: "half_val",
    tf.complex64: "scomplex_val", tf.complex128: "dcomplex_val",
}  # fmt: skip
_TYPES = {dtype.as_datatype_enum: dtype for dtype in _FIELDS}


def type_name(enum: int) -> str:
    """Return TensorFlow's name of a data type in messages, such as `uint8` or `float`."""
    known = types_pb2.DataType.values()
    return types_pb2.DataType.Name(enum).removeprefix("DT_").lower() if enum in known else f"unknown type {enum}"


def decode(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Return the tensor as an array; raise `ValueError` where dtype, shape and values do not fit together."""
    dtype = _TYPES.get(proto.dtype)
    if dtype is None:
        raise ValueError(f"data type {proto.dtype} is not supported")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or len(shape) > MAX_DIMENSIONS or any(size < 0 for size in shape):
        raise ValueError(f"shape {list(shape)} is not one of at most {MAX_DIMENSIONS} sizes of 0 or more")
    count = math.prod(shape)
    if proto.tensor_content and dtype != tf.string:
        if len(proto.tensor_content) != count * dtype.size:
            raise ValueError(f"shape {list(shape)} needs {count * dtype.size} bytes, not {len(proto.tensor_content)}")
        return np.frombuffer(proto.tensor_content, dtype.as_numpy_dtype).reshape(shape)
    return _repeat_last(_values(proto, dtype), count).reshape(shape)


def _values(proto: tensor_pb2.TensorProto, dtype: tf.DType) -> np.ndarray:
    values = getattr(proto, _FIELDS[dtype])
    if dtype == tf.string:
        return np.array(values, dtype=object)
    if dtype in (tf.float16, tf.bfloat16):
        return np.array(values, np.uint32).astype(np.uint16).view(dtype.as_numpy_dtype)
    if dtype.is_complex:
        return np.array(values, dtype.real_dtype.as_numpy_dtype).view(dtype.as_numpy_dtype)
    if _FIELDS[dtype] == "int_val":
        # Smaller integers travel as int32 and wrap, as in TensorFlow itself.
        return np.array(values, np.int32).astype(dtype.as_numpy_dtype)
    return np.array(values, dtype.as_numpy_dtype)


def _repeat_last(values: np.ndarray, count: int) -> np.ndarray:
    if len(values) == count:
        return values
    if len(values) > count or count * values.itemsize > MAX_REPEATED_BYTES:
        raise ValueError(f"{count} values declared, {len(values)} sent")
    last = values[-1:] if len(values) else np.array([b""] if values.dtype == object else [0], values.dtype)
    return np.concatenate([values, np.repeat(last, count - len(values))])


def encode(array: np.ndarray, dtype: tf.DType) -> tensor_pb2.TensorProto:
    """Return the array as a TensorProto with typed fields, the form in which TF Serving answers."""
    proto = tensor_pb2.TensorProto(
        dtype=dtype.as_datatype_enum,
        tensor_shape=tensor_shape_pb2.TensorShapeProto(
            dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in array.shape]
        ),
    )
    flat = array.reshape(-1)
    if dtype in (tf.float16, tf.bfloat16):
        flat = flat.view(np.uint16)
    elif dtype.is_complex:
        flat = flat.view(dtype.real_dtype.as_numpy_dtype)
    getattr(proto, _FIELDS[dtype]).extend(flat.tolist())
    return proto
