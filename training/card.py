"""Model cards in Hugging Face's form: YAML between dashes, which registries read, and text for people."""

import json
from collections.abc import Iterator
from typing import Any

METRICS = {"accuracy": "accuracy", "loss": "cross-entropy, nats", "ece": "expected calibration error"}
KNOWN_SETS = {"mnist": "ylecun/mnist"}  # names of image sets on Hugging Face's hub


def card(manifest: dict[str, Any], variant: dict[str, Any]) -> str:
    """Return the card of a variant; every figure in it is the manifest's."""
    # JSON is YAML, so no value needs quoting of our own.
    head = "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in facts(manifest, variant))
    return f"---\n{head}---\n" + "\n".join(text(manifest, variant)) + "\n"


def facts(manifest: dict[str, Any], variant: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what registries read, by the names of Hugging Face's specification."""
    data = manifest["data"]
    yield "license", "apache-2.0"
    yield "pipeline_tag", "image-classification"
    yield "tags", ["dropserve", "tensorflow", "savedmodel", "image-classification", f"version-{variant['version']}"]
    if data["name"] in KNOWN_SETS:
        yield "datasets", [KNOWN_SETS[data["name"]]]
    yield "metrics", ["accuracy"]
    measured = [{"type": kind, "name": name, "value": variant["test"][kind]} for kind, name in METRICS.items()]
    result = {
        "task": {"type": "image-classification"},
        "dataset": {
            "type": KNOWN_SETS.get(data["name"], data["name"]), "name": data["name"], "split": "test",
            "revision": data["sha256"],
        },
        "metrics": measured,
    }  # fmt: skip
    yield "model-index", [{"name": variant["name"], "results": [result]}]


def text(manifest: dict[str, Any], variant: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that people read."""
    data, image, training = manifest["data"], manifest["image"], variant["training"]
    size = f"{image['height']}, {image['width']}"
    yield from (
        f"# {variant['name']} {variant['version']}: {variant['title']}", "",
        f"Classifies images of {len(manifest['classes'])} classes: {', '.join(manifest['classes'])}.",
        f"A SavedModel of {variant['parameters']:,} parameters, trained by dropserve.", "",
        "## Use", "",
        f"It takes uint8 images `[n, {size}]`, light on dark, and gives probabilities. Scaling is inside.",
        f"Frame images as {image['framing'].upper()}'s are framed; dropserve's gateway does.",
        f"Signatures: {', '.join(f'`{name}`' for name in variant['signatures'])}.", "",
        "It answers any image with one of its classes, also one that shows none of them.",
        f"Its figures hold for images like the test images of {data['name']}. Do not decide on people by it.", "",
        "## Figures", "",
        f"On the {data['test']:,} test images of {data['name']}, by the exported model:", "",
        "| measure | value |", "|---|---|",
        *(f"| {name} | {variant['test'][kind]} |" for kind, name in METRICS.items()), "",
        "## Training", "",
        f"Image set `{data['name']}`, SHA-256 of its content `{data['sha256']}`.", "",
        "| setting | value |", "|---|---|",
        *(f"| {name} | {_value(value)} |" for name, value in variant["regularisation"].items()),
        *(f"| {name} | {_value(value)} |" for name, value in training.items() if not isinstance(value, dict)),
    )  # fmt: skip
    if labels := training.get("labels"):
        base, kept = training["base"], "" if labels["exists"] else " The set was deleted since."
        yield from (
            "",
            f"It went on from {base['name']} {base['version']} with {labels['images']:,} images that people labelled, "
            f"of {labels['units']:,} units, from {labels['from']} to {labels['to']}.{kept}",
            *(f"The labels were trusted, though {doubt}." for doubt in training.get("gate", {}).get("doubts", ())),
        )


def _value(value: Any) -> str:
    """Return a setting as a table shows it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return "none" if value is None else str(value)
