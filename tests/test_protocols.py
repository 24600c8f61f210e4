"""Clients of other people, as they are, against a running gateway."""

from collections.abc import Iterator

import numpy as np
import pytest
import requests
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from testing.digits import digits
from testing.inference import ask
from testing.waiting import PATIENCE
from tests.conftest import Serving

pytestmark = pytest.mark.slow
IMAGES, _ = digits(100, seed=2)
RAW = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def client(serving: Serving) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(serving.url.removeprefix("http://"), network_timeout=PATIENCE) as made:
        yield made


def test_triton_client_sees_server_and_models(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert [client.is_model_ready(name) for name in ("l2", "any-variant", "nothing")] == [True, True, False]
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    described = client.get_model_metadata("l2")
    [version] = described["versions"]
    assert client.is_model_ready("l2", version) and not client.is_model_ready("l2", version + "0")
    assert described["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 28, 28]}]
    assert [output["name"] for output in described["outputs"]] == ["probabilities", "labels", "familiarity"]


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("binary", [True, False])
def test_triton_client_gets_what_predict_gives(
    client: triton.InferenceServerClient, serving: Serving, count: int, binary: bool
) -> None:
    images = IMAGES[:count].reshape(count, 28, 28)
    url = f"{serving.url}/predict?variant=l2"
    predicted = requests.post(url, data=images.tobytes(), headers=RAW, timeout=PATIENCE).json()
    result = ask(client, "l2", images, binary, ("probabilities", "labels", "familiarity"))
    members = {
        name: np.array([each[name] for each in predicted["predictions"]], np.float32)
        for name in ("probabilities", "familiarity")
    }
    for name, values in members.items():
        found = result.as_numpy(name)
        assert found.dtype == np.float32 and np.array_equal(found, values)
    labels = [bytes(each).decode() if binary else each for each in result.as_numpy("labels")]
    assert labels == [each["label"] for each in predicted["predictions"]]
    assert result.get_response()["model_version"] == str(predicted["version"])


def test_triton_client_without_a_wish_gets_all_outputs(client: triton.InferenceServerClient) -> None:
    given = triton.InferInput("images", [1, 28, 28], "UINT8")
    given.set_data_from_numpy(IMAGES[:1].reshape(1, 28, 28))
    result = client.infer("l2", [given], request_id="one")
    assert result.get_response()["id"] == "one"
    assert {output["name"] for output in result.get_response()["outputs"]} == {"probabilities", "labels", "familiarity"}
    assert result.as_numpy("probabilities").shape == (1, 10)


def test_triton_client_raises_its_own_exception_with_our_sentence(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException) as unknown:
        ask(client, "nothing", IMAGES[:1], binary=True)
    assert unknown.value.status() == "404"
    assert unknown.value.message().startswith("There is no variant 'nothing'; there are plain,")
    with pytest.raises(InferenceServerException) as misshapen:
        ask(client, "l2", np.zeros((1, 28), np.uint8), binary=False)
    assert misshapen.value.message().startswith("/inputs/0/shape: Input should be [n, 28, 28], [n, 784]")
    with pytest.raises(InferenceServerException) as too_large:
        ask(client, "l2", np.zeros((12_000, 784), np.uint8), binary=True)
    assert (too_large.value.status(), too_large.value.message()) == (
        "413", "The body is larger than 8,388,608 bytes (GATEWAY_MAX_BODY_BYTES).",
    )  # fmt: skip
