"""Requests of the Open Inference Protocol v2."""

import json
from typing import Any


def tensor(**changes: Any) -> dict[str, Any]:
    """Return the input tensor of one blank image, with changes; None removes a member."""
    made = {"name": "images", "shape": [1, 784], "datatype": "UINT8", "data": [0] * 784, **changes}
    return {name: value for name, value in made.items() if value is not None}


def with_bytes(head: dict[str, Any], behind: bytes) -> dict[str, Any]:
    """Return the body and the headers of a request with raw bytes behind its head, as Flask's client takes them."""
    text = json.dumps(head).encode()
    return {"data": text + behind, "headers": {"Inference-Header-Content-Length": str(len(text))}}
