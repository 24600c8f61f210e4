import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import tensor_pb2

from serving.model_server.inference import tensors

TYPES = [
    "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "float16",
    "complex64", "complex128",
]  # fmt: skip


def encoded(array: np.ndarray, name: str) -> tensor_pb2.TensorProto:
    proto = tensor_pb2.TensorProto()
    tensors.encode(array, tf.as_dtype(name).as_datatype_enum, proto)
    return proto


def proto(text: str) -> tensor_pb2.TensorProto:
    return text_format.Parse(text, tensor_pb2.TensorProto())


@pytest.mark.parametrize("name", TYPES)
def test_every_type_comes_back_as_it_went(name: str) -> None:
    array = np.array([[0, 1, 1], [2, 100, 3]]).astype(name)
    assert not encoded(array, name).tensor_content
    for sent in (encoded(array, name), tf.make_tensor_proto(array)):
        decoded = tensors.decode(sent)
        assert decoded.dtype == array.dtype
        np.testing.assert_array_equal(decoded, array)


@pytest.mark.parametrize("name", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("count", [0, 1, 31, 32, 5000])  # their length takes one, two and three bytes
def test_any_number_of_values_comes_back_as_it_went(name: str, count: int) -> None:
    array = np.linspace(-1, 1, count).astype(name)
    np.testing.assert_array_equal(tensors.decode(encoded(array, name)), array)


def test_bytes_come_back_as_they_went() -> None:
    array = np.array([[b"\xff\x00", b""]], object)
    assert tensors.decode(encoded(array, "string")).tolist() == array.tolist()


def test_a_short_list_repeats_its_last_value() -> None:
    text = "dtype: DT_FLOAT tensor_shape { dim { size: 2 } dim { size: 2 } } float_val: 1 float_val: 2"
    assert tensors.decode(proto(text)).tolist() == [[1, 2], [2, 2]]
    assert tensors.decode(proto("dtype: DT_INT32 tensor_shape { dim { size: 2 } }")).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dtype: DT_FLOAT tensor_shape { dim { size: -1 } } float_val: 1", r"shape \[-1\] is not one of"),
        ("dtype: DT_FLOAT tensor_shape { unknown_rank: true } float_val: 1", r"is not one of at most 32 sizes"),
        ("dtype: DT_FLOAT tensor_shape { " + "dim { size: 1 } " * 33 + "} float_val: 1", "at most 32 sizes"),
        ("dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 1 float_val: 2", "1 values declared, 2 sent"),
        ("dtype: DT_FLOAT tensor_shape { dim { size: 1099511627776 } } float_val: 1", "1099511627776 values declared"),
        ('dtype: DT_FLOAT tensor_shape { dim { size: 2 } } tensor_content: "abc"', r"shape \[2\] needs 8 bytes, not 3"),
        ('dtype: DT_UINT8 tensor_shape { dim { size: 4611686018427387904 } dim { size: 4 } } tensor_content: "a"',
         "bytes, not 1"),
        ("dtype: DT_RESOURCE", "data type 20 is not supported"),
        ("dtype: DT_INVALID", "data type 0 is not supported"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tensors.decode(proto(text))


def test_types_have_tensorflows_names() -> None:
    assert [tensors.type_name(enum) for enum in (1, 4, 19, 999)] == ["float", "uint8", "half", "unknown type 999"]
