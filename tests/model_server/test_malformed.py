"""Malformed requests of every kind: each is answered with an error, and the process lives.

`--hypothesis-profile=long` sends 10,000 of them.
"""

import gzip
import json
import os
import subprocess
import sys
from typing import Any

import grpc
import pytest
import requests
from google.protobuf import text_format
from grpc import StatusCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

from testing.running_model_server import Running

pytestmark = pytest.mark.slow

SECONDS = 30
PREDICT = "/tensorflow.serving.PredictionService/Predict"
METHODS = [
    *(
        f"/tensorflow.serving.PredictionService/{name}"
        for name in ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata")
    ),
    "/tensorflow.serving.ModelService/GetModelStatus",
    "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
    "/grpc.health.v1.Health/Check",
    "/x/y",
]
each = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


def refused(server: Running, method: str, body: bytes) -> StatusCode:
    """Send raw bytes, which must be refused, and return with which code."""
    call: Any = server.channel.unary_unary(method)
    with pytest.raises(grpc.RpcError) as caught:
        call(body, timeout=SECONDS)
    assert caught.value.code() not in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED), caught.value.details()
    return caught.value.code()


def is_refused_over_rest(server: Running, body: bytes, path: str = "models/pixels:predict", **headers: str) -> None:
    response = requests.post(f"{server.rest_url}/v1/{path}", data=body, headers=headers, timeout=SECONDS)
    assert 400 <= response.status_code < 500, (response.status_code, response.text)
    assert list(response.json()) == ["error"]


def images(**fields: Any) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "pixels"
    request.inputs["images"].CopyFrom(tensor_pb2.TensorProto(**fields))
    return request.SerializeToString()


def shape(*sizes: int) -> Any:
    dims = " ".join(f"dim {{ size: {size} }}" for size in sizes)
    return text_format.Parse(f"tensor_shape {{ {dims} }}", tensor_pb2.TensorProto()).tensor_shape


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(images(dtype=4, tensor_shape=shape(2**40, 28, 28), int_val=[1]), id="a huge shape, one value"),
        pytest.param(images(dtype=4, tensor_shape=shape(2**62, 2**62), tensor_content=b"a"), id="a shape past 2^64"),
        pytest.param(images(dtype=4, tensor_shape=shape(-1, 28, 28), tensor_content=b"a" * 784), id="a negative size"),
        pytest.param(images(dtype=4, tensor_shape=shape(*[1] * 300), tensor_content=b"a"), id="300 dimensions"),
        pytest.param(images(dtype=1, tensor_shape=shape(1, 28, 28), float_val=[1]), id="another type"),
        pytest.param(images(dtype=20, tensor_shape=shape()), id="a resource"),
        pytest.param(images(dtype=21, tensor_shape=shape()), id="a variant"),
        pytest.param(images(dtype=104, tensor_shape=shape(1), int_val=[1]), id="a reference"),
        pytest.param(images(dtype=9999, tensor_shape=shape(1)), id="a type that there is not"),
        pytest.param(images(dtype=4, tensor_shape=shape(1, 28, 28), tensor_content=b"a" * 783), id="a byte too few"),
        pytest.param(images(dtype=7, tensor_shape=shape(1), string_val=[b"a" * 1000]), id="texts"),
    ],
)
def test_tensors_that_lie(server: Running, body: bytes) -> None:
    assert refused(server, PREDICT, body) in (StatusCode.INVALID_ARGUMENT, StatusCode.UNKNOWN)


NEST = b"[" * 20_000 + b"]" * 20_000


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"instances": ' + NEST + b"}", id="nested 20,000 deep"),
        pytest.param(b'{"instances": [' + b"[" * 500 + b"]" * 500 + b"]}", id="nested 500 deep"),
        pytest.param(b'{"a": ' * 50_000, id="objects nested 50,000 deep"),
        pytest.param(b'{"instances": [' + b"1" * 100_000 + b"]}", id="a number of 100,000 digits"),
        pytest.param(b'{"instances": [1e999999999]}', id="a huge number"),
        pytest.param(b"\x00" * 1000, id="zeros"),
        pytest.param(b'{"instances": [{"b64": "AAAA"}]}', id="bytes for numbers"),
        pytest.param(b'{"signature_name": "\\ud800", "instances": [1]}', id="half a character"),
    ],
)
def test_json_that_hurts(server: Running, body: bytes) -> None:
    is_refused_over_rest(server, body)
    is_refused_over_rest(server, body, "models/half_plus:regress")


def test_a_gzip_bomb(server: Running) -> None:
    bomb = gzip.compress(gzip.compress(b" " * (1 << 30), 1), 9)
    is_refused_over_rest(server, gzip.decompress(bomb), **{"Content-Encoding": "gzip"})


@each
@given(method=st.sampled_from(METHODS), body=st.binary(min_size=1, max_size=2000))
def test_noise_over_grpc(server: Running, method: str, body: bytes) -> None:
    refused(server, method, b"\xff" + body)


@each
@given(
    dtype=st.sampled_from(types_pb2.DataType.values()),
    sizes=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 30), max_size=6),
    content=st.binary(max_size=900),
    values=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=9),
)
def test_tensors_made_up(server: Running, dtype: int, sizes: list[int], content: bytes, values: list[int]) -> None:
    body = images(dtype=dtype, tensor_shape=shape(*sizes), tensor_content=content + b"odd" * (len(content) % 784 == 0),
                  int_val=values)  # fmt: skip
    refused(server, PREDICT, body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8) | st.just("b64"), inner, max_size=5)
    ),
)


@each
@given(
    document=st.dictionaries(st.sampled_from(["instances", "inputs", "signature_name", "examples"]), JSON),
    path=st.sampled_from(["models/pixels:predict", "models/kinds:predict", "models/half_plus:classify"]),
)
def test_json_made_up(server: Running, document: dict[str, Any], path: str) -> None:
    # No images at all are no mistake: the answer is empty, too.
    if all(json.dumps(document.get(key)).strip("[], ") for key in ("instances", "inputs")):
        is_refused_over_rest(server, json.dumps(document).encode(), path)


@each
@given(body=st.binary(max_size=500), encoding=st.sampled_from(["identity", "gzip", "deflate", "br"]))
def test_noise_over_rest(server: Running, body: bytes, encoding: str) -> None:
    is_refused_over_rest(server, b"\xfe" + body, **{"Content-Encoding": encoding})


# Sends calls whose answers are large, and stops itself when it has the first answer. A full queue refuses some calls.
DEAF_CLIENT = """
import os, signal, sys, grpc
address, method, message = sys.argv[1:]
with grpc.insecure_channel(address) as channel:
    ask = channel.unary_unary(method)
    calls = [ask.future(bytes.fromhex(message)) for _ in range(20)]
    next(call for call in calls if call.exception() is None)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_a_client_that_does_not_read_delays_no_other(server: Running) -> None:
    large_answer = images(dtype=4, tensor_shape=shape(8000, 28, 28), int_val=[1])
    client = subprocess.Popen([sys.executable, "-c", DEAF_CLIENT, server.grpc_address, PREDICT, large_answer.hex()])
    try:
        ended = os.waitid(os.P_PID, client.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert ended and ended.si_code == os.CLD_STOPPED  # 20 calls, more than there are threads, have begun by then
        call: Any = server.channel.unary_unary(PREDICT)
        for _ in range(20):
            call(images(dtype=4, tensor_shape=shape(1, 28, 28), int_val=[1]), timeout=SECONDS)
    finally:
        client.kill()
        client.wait()


def test_the_server_still_answers(server: Running) -> None:
    answer = requests.post(f"{server.rest_url}/v1/models/half_plus:predict", '{"instances": [2]}', timeout=SECONDS)
    assert answer.json() == {"predictions": [4.0]}
