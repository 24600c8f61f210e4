"""Requests of the Open Inference Protocol v2."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import tritonclient.http as triton
from numpy.typing import NDArray


def tensor(**changes: Any) -> dict[str, Any]:
    """Return the input tensor of one blank image, with changes; None removes a member."""
    made = {"name": "images", "shape": [1, 784], "datatype": "UINT8", "data": [0] * 784, **changes}
    return {name: value for name, value in made.items() if value is not None}


def with_bytes(head: dict[str, Any], behind: bytes) -> dict[str, Any]:
    """Return the body and the headers of a request with raw bytes behind its head, as Flask's client takes them."""
    text = json.dumps(head).encode()
    return {"data": text + behind, "headers": {"Inference-Header-Content-Length": str(len(text))}}


def ask(
    client: triton.InferenceServerClient, model: str, images: NDArray[np.uint8], binary: bool,
    outputs: Sequence[str] = ("probabilities", "labels"), **others: Any,
) -> Any:  # fmt: skip
    """Return Triton's result for images, with data as bytes both ways or as JSON both ways."""
    given = triton.InferInput("images", list(images.shape), "UINT8")
    given.set_data_from_numpy(images, binary_data=binary)
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in outputs]
    return client.infer(model, [given], outputs=wanted, **others)
