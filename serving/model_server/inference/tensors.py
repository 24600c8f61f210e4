"""TensorProto to numpy and back, with limits: a declared shape alone allocates no memory."""

import math

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from tensorflow.core.framework import tensor_pb2, types_pb2

_Field = descriptor_pb2.FieldDescriptorProto

MAX_DIMENSIONS = 32
# A short value list repeats its last value over the declared shape; this is as large as the result may become.
MAX_REPEATED_BYTES = 64 << 20

# type → the field of a TensorProto that holds its values
_FIELDS = {
    getattr(types_pb2, f"DT_{name}"): field
    for field, names in {
        "float_val": "FLOAT", "double_val": "DOUBLE", "int_val": "INT32 INT16 INT8 UINT8 UINT16", "int64_val": "INT64",
        "bool_val": "BOOL", "uint32_val": "UINT32", "uint64_val": "UINT64", "string_val": "STRING",
        "half_val": "HALF BFLOAT16", "scomplex_val": "COMPLEX64", "dcomplex_val": "COMPLEX128",
    }.items()
    for name in names.split()
}  # fmt: skip
# Fields with the same bytes in a message and in an array's memory.
_PACKED = ("float_val", "double_val", "scomplex_val", "dcomplex_val")
_TYPES = {enum: np.dtype(tf.as_dtype(enum).as_numpy_dtype) for enum in _FIELDS}


def _packed_values() -> type[Message]:
    """Return a message like TensorProto on the wire, whose packed fields are `bytes`."""
    file = descriptor_pb2.FileDescriptorProto(name="packed_values.proto", package="dropserve", syntax="proto3")
    message = file.message_type.add(name="PackedValues")
    for name in _PACKED:
        number = tensor_pb2.TensorProto.DESCRIPTOR.fields_by_name[name].number
        message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_BYTES)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("dropserve.PackedValues"))


_PackedValues = _packed_values()


def type_name(enum: int) -> str:
    """Return TensorFlow's name of a data type in messages, such as `uint8` or `float`."""
    known = types_pb2.DataType.values()
    return types_pb2.DataType.Name(enum).removeprefix("DT_").lower() if enum in known else f"unknown type {enum}"


def decode(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Return the tensor as an array; raise `ValueError` where dtype, shape and values do not fit together."""
    dtype = _TYPES.get(proto.dtype)
    if dtype is None:
        raise ValueError(f"data type {proto.dtype} is not supported")
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or len(shape) > MAX_DIMENSIONS or (shape and min(shape) < 0):
        raise ValueError(f"shape {shape} is not one of at most {MAX_DIMENSIONS} sizes of 0 or more")
    count, content = math.prod(shape), proto.tensor_content
    if content and proto.dtype != types_pb2.DT_STRING:
        if len(content) != count * dtype.itemsize:
            raise ValueError(f"shape {shape} needs {count * dtype.itemsize} bytes, not {len(content)}")
        return np.frombuffer(content, dtype).reshape(shape)
    return _repeat_last(_values(proto, dtype), count).reshape(shape)


def _values(proto: tensor_pb2.TensorProto, dtype: np.dtype) -> np.ndarray:
    values = getattr(proto, _FIELDS[proto.dtype])
    if _FIELDS[proto.dtype] == "half_val":
        return np.array(values, np.uint32).astype(np.uint16).view(dtype)
    if dtype.kind == "c":
        return np.array(values, f"f{dtype.itemsize // 2}").view(dtype)
    if _FIELDS[proto.dtype] == "int_val":
        # Smaller integers travel as int32 and wrap, as in TensorFlow itself.
        return np.array(values, np.int32).astype(dtype)
    return np.array(values, dtype)


def _repeat_last(values: np.ndarray, count: int) -> np.ndarray:
    if len(values) == count:
        return values
    if len(values) > count or count * values.itemsize > MAX_REPEATED_BYTES:
        raise ValueError(f"{count} values declared, {len(values)} sent")
    last = values[-1:] if len(values) else np.array([b""] if values.dtype == object else [0], values.dtype)
    return np.concatenate([values, np.repeat(last, count - len(values))])


def encode(array: np.ndarray, dtype: int, proto: tensor_pb2.TensorProto) -> None:
    """Fill `proto` with the array, as type `dtype`, in typed fields: the form in which TF Serving answers."""
    proto.dtype = dtype
    dims = proto.tensor_shape.dim
    for size in array.shape:
        dims.add().size = size
    field = _FIELDS[dtype]
    flat = array.reshape(-1)
    if field == "half_val":
        flat = flat.view(np.uint16)
    elif flat.dtype.kind == "c":
        flat = flat.view(f"f{flat.dtype.itemsize // 2}")
    if field in _PACKED:  # as one piece: number by number, ten thousand take a hundred times as long
        proto.MergeFromString(_PackedValues(**{field: flat.tobytes()}).SerializeToString())
    else:
        getattr(proto, field).extend(flat.tolist())
