"""A manifest of two variants, which no training has to write."""

from typing import Any


def variant(name: str, *signatures: str) -> dict[str, Any]:
    """Return the manifest's entry of a variant; `serving_default` need not be named."""
    return {
        "name": name, "title": name.title(), "version": 7, "parameters": 1, "regularisation": {"l2": 0.0},
        "training": {"seed": 1}, "test": {"accuracy": 0.5}, "history": [],
        "signatures": ["serving_default", *signatures],
    }  # fmt: skip


MANIFEST = {
    "schema": 1, "created": "2026-11-23T10:00:00Z", "image": {"height": 28, "width": 28, "framing": "mnist"},
    "classes": [str(digit) for digit in range(10)], "default": "plain",
    "variants": [variant("plain"), variant("dropout", "mc_dropout")],
}  # fmt: skip
