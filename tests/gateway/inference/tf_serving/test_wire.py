"""The gateway's own message definitions are TF Serving's, byte for byte."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from serving.gateway.inference.tf_serving import wire_pb2 as wire
from serving.gateway.inference.tf_serving.messages import Images, predict_request, read_floats, status_request

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[4]
FOLDER = "serving/gateway/inference/tf_serving"
PIXELS = np.arange(2 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(2, 28, 28)


@pytest.mark.parametrize("name", ["wire_pb2.py", "wire_pb2.pyi"])
def test_the_generated_code_is_that_of_the_definitions(tmp_path: Path, name: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I", ".", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}",
         f"{FOLDER}/wire.proto"],
        cwd=ROOT, check=True,
    )  # fmt: skip
    assert (tmp_path / FOLDER / name).read_text() == (ROOT / FOLDER / name).read_text()


def test_a_predict_request_is_what_tf_serving_reads() -> None:
    from tensorflow import make_ndarray
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    images = Images(PIXELS.tobytes(), 2, 28, 28)
    sent = predict_request("dropout", "mc_dropout", images, samples=50).SerializeToString()
    read = PredictRequest.FromString(sent)
    assert (read.model_spec.name, read.model_spec.signature_name) == ("dropout", "mc_dropout")
    assert not read.model_spec.HasField("version")
    np.testing.assert_array_equal(make_ndarray(read.inputs["images"]), PIXELS)
    assert make_ndarray(read.inputs["samples"]).tolist() == 50
    assert set(read.inputs) == {"images", "samples"}
    assert wire.PredictRequest.FromString(read.SerializeToString()) == wire.PredictRequest.FromString(sent)


@pytest.mark.parametrize("as_content", [False, True])
def test_tf_servings_predict_response_is_read(as_content: bool) -> None:
    from tensorflow import make_tensor_proto
    from tensorflow_serving.apis.predict_pb2 import PredictResponse

    values = np.linspace(0, 1, 20, dtype=np.float32).reshape(2, 10)
    response = PredictResponse()
    response.model_spec.name, response.model_spec.signature_name = "l2", "serving_default"
    response.model_spec.version.value = 2**40
    response.outputs["probabilities"].CopyFrom(make_tensor_proto(values))
    if not as_content:
        response.outputs["probabilities"].tensor_content = b""
        response.outputs["probabilities"].float_val.extend(values.ravel().tolist())
    read = wire.PredictResponse.FromString(response.SerializeToString())
    assert read.model_spec.version.value == 2**40
    np.testing.assert_array_equal(read_floats(read.outputs["probabilities"]), values)
    assert PredictResponse.FromString(read.SerializeToString()) == response


def test_status_messages_are_tf_servings() -> None:
    from tensorflow_serving.apis import get_model_status_pb2 as official

    request = official.GetModelStatusRequest.FromString(status_request("l2").SerializeToString())
    assert request.model_spec.name == "l2"
    response = official.GetModelStatusResponse()
    for state in official.ModelVersionStatus.State.values():
        version = response.model_version_status.add(version=state + 1, state=state)
        version.status.error_code, version.status.error_message = 5, "gone"
    read = wire.GetModelStatusResponse.FromString(response.SerializeToString())
    assert [(v.version, v.state, v.status.error_code, v.status.error_message) for v in read.model_version_status] == [
        (v.version, v.state, v.status.error_code, v.status.error_message) for v in response.model_version_status
    ]
    assert dict(wire.ModelVersionStatus.State.items()) == dict(official.ModelVersionStatus.State.items())
    assert official.GetModelStatusResponse.FromString(read.SerializeToString()) == response
