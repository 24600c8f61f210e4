import numpy as np
import pytest

from serving.gateway.inference.tf_serving import wire_pb2 as wire
from serving.gateway.inference.tf_serving.messages import read_floats


def tensor(*shape: int, dtype: wire.DataType = wire.DT_FLOAT, **values: object) -> wire.Tensor:
    sides = [wire.TensorShape.Dim(size=side) for side in shape]
    return wire.Tensor(dtype=dtype, tensor_shape=wire.TensorShape(dim=sides), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (tensor(2, 2, float_val=[1, 2, 3, 4]), [[1, 2], [3, 4]]),
        (tensor(2, 2, tensor_content=np.array([1, 2, 3, 4], "<f4").tobytes()), [[1, 2], [3, 4]]),
        (tensor(2, 2, float_val=[1, 2]), [[1, 2], [2, 2]]),
        (tensor(3, float_val=[0.5]), [0.5, 0.5, 0.5]),
        (tensor(0, 10), np.zeros((0, 10))),
        (tensor(float_val=[7]), 7),
    ],
)
def test_floats_are_read_from_either_field_and_the_last_value_repeats(message: wire.Tensor, expected: list) -> None:
    values = read_floats(message)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (tensor(2, dtype=wire.DT_INT32, int_val=[1, 2]), "a tensor of type 3 where floats belong"),
        (tensor(2, float_val=[1, 2, 3]), r"a tensor of shape \[2\] with 3 values"),
        (tensor(2), r"a tensor of shape \[2\] with 0 values"),
        (tensor(3, tensor_content=bytes(8)), r"a tensor of shape \[3\] with 2 values"),
        (tensor(2, tensor_content=bytes(7)), "buffer size must be a multiple"),
        (tensor(2**40, float_val=[1]), r"a tensor of shape \[1099511627776\]"),
        (tensor(-1, float_val=[1]), r"a tensor of shape \[-1\]"),
        (tensor(2, float_val=[1, float("inf")]), "a tensor with values that are not finite"),
    ],
)
def test_what_does_not_fit_is_refused(message: wire.Tensor, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_floats(message)
