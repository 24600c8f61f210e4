"""Clients of other people, as they are, against a running gateway."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import requests
import tritonclient.http as triton
from numpy.typing import NDArray
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from tritonclient.utils import InferenceServerException

from testing.api import ADMIN, ADMIN_TOKEN
from testing.digits import digits
from testing.machine import ROOT
from testing.waiting import PATIENCE
from tests.conftest import Serving

pytestmark = pytest.mark.slow
IMAGES, _ = digits(100, seed=2)
RAW = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def client(serving: Serving) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(serving.url.removeprefix("http://"), network_timeout=PATIENCE) as made:
        yield made


def ask(
    client: triton.InferenceServerClient, model: str, images: NDArray[np.uint8], binary: bool,
    outputs: Sequence[str] = ("probabilities", "labels"), **others: Any,
) -> Any:  # fmt: skip
    """Return Triton's result for images, with data as bytes both ways or as JSON both ways."""
    given = triton.InferInput("images", list(images.shape), "UINT8")
    given.set_data_from_numpy(images, binary_data=binary)
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in outputs]
    return client.infer(model, [given], outputs=wanted, **others)


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


def test_the_examples_of_the_docs_run(serving: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    arms = [{"variant": variant, "weight": 0.5} for variant in ("dropout_l2", "l2")]
    spec = {"name": "l2_or_both", "control": "dropout_l2", "arms": arms}
    requests.post(f"{serving.url}/experiments", json=spec, headers=ADMIN, timeout=PATIENCE).raise_for_status()
    experiment = f"{serving.url}/experiments/l2_or_both"
    requests.post(f"{experiment}/start", headers=ADMIN, timeout=PATIENCE).raise_for_status()
    names: dict[str, Any] = {}
    try:
        text = (ROOT / "docs" / "protocols.md").read_text()
        text = text.replace("127.0.0.1:8080", serving.url.removeprefix("http://")).replace("TOKEN", ADMIN_TOKEN)
        for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
            exec(block, names)
    finally:
        requests.post(f"{experiment}/stop", headers=ADMIN, timeout=PATIENCE)
        if isinstance(provider := api.get_client().provider, OFREPProvider):
            provider.session.close()
    assert len(names["ids"]) == 2
    assert names["flag"].variant in ("dropout_l2", "l2") and names["taken"]["variant"] == names["flag"].variant
    assert f"{names['flag'].variant} SPLIT" in capsys.readouterr().out
