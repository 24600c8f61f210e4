from pathlib import Path
from typing import Any

import pytest
import yaml

from training import publish
from training.adapted import sets
from training.card import card

TEST = {"accuracy": 0.9723, "loss": 0.10492341220378876, "ece": 0.004117078100144908}
LABELS = {
    "set": "gone", "sha256": "1" * 64, "exists": True, "images": 412, "units": 40, "from": "2026-11-01T00:00:00Z",
    "to": "2026-11-28T00:00:00Z", "sources": {"audit": 412},
}  # fmt: skip


def manifest(**training: Any) -> dict[str, Any]:
    """Return a manifest of one variant, whose title is hard to quote."""
    return {
        "schema": 1, "created": "2026-11-28T10:00:00Z",
        "data": {"name": "mnist", "sha256": "0" * 64, "train": 60000, "test": 10000},
        "image": {"height": 28, "width": 28, "framing": "mnist"}, "classes": ["0", "no: 1"], "default": "l2",
        "variants": [{
            "name": "l2", "title": 'L2: "1e-4" #1', "version": 3, "parameters": 244522,
            "regularisation": {"dropout": {"kind": "bernoulli", "rate": 0.5, "schedule": "constant"}, "l2": 0.0001},
            "training": {"seed": 1, "steps": 4690, "batch": 128, "optimizer": "adam", "learning_rate": 0.01,
                         **training},
            "test": TEST, "history": [], "signatures": ["serving_default", "mc_dropout"],
        }],
    }  # fmt: skip


def head(text: str) -> Any:
    """Return what registries read of a card."""
    before, yaml_text, _ = text.split("---\n", 2)
    assert before == ""
    return yaml.safe_load(yaml_text)


def test_registries_read_the_manifests_figures() -> None:
    made = manifest()
    (model,) = head(card(made, made["variants"][0]))["model-index"]
    (result,) = model["results"]
    assert {metric["type"]: metric["value"] for metric in result["metrics"]} == TEST
    assert (model["name"], result["dataset"]["revision"]) == ("l2", "0" * 64)


def test_people_read_them_too() -> None:
    made = manifest()
    text = card(made, made["variants"][0])
    for line in (
        '# l2 3: L2: "1e-4" #1', "| accuracy | 0.9723 |", "| l2 | 0.0001 |", "| seed | 1 |",
        "| dropout | kind bernoulli, rate 0.5, schedule constant |", "On the 10,000 test images of mnist",
    ):  # fmt: skip
        assert line in text


def test_another_image_set_names_no_set_of_a_hub() -> None:
    made = manifest()
    made["data"]["name"] = "letters: mine"
    found = head(card(made, made["variants"][0]))
    assert "datasets" not in found
    assert found["model-index"][0]["results"][0]["dataset"]["name"] == "letters: mine"


@pytest.mark.parametrize(("exists", "said"), [(True, False), (False, True)])
def test_a_candidates_card_tells_of_its_labels(exists: bool, said: bool) -> None:
    made = manifest(base={"name": "champion", "version": 2}, labels={**LABELS, "exists": exists})
    text = card(made, made["variants"][0])
    assert "went on from champion 2 with 412 images that people labelled, of 40 units" in text
    assert ("The set was deleted since." in text) is said


def test_publishing_writes_the_card_and_a_deletion_renews_it(tmp_path: Path) -> None:
    made = manifest(base={"name": "champion", "version": 2}, labels=LABELS)
    made["variants"][0]["history"] = [{"step": 0, "loss": 2.3, "accuracy": 0.1}]
    with publish.staging(tmp_path) as staged:
        (staged / "l2").mkdir()
        publish.publish(tmp_path, {"l2": staged / "l2"}, made, keep=3)
    file = tmp_path / "l2" / "README.md"
    assert head(file.read_text())["pipeline_tag"] == "image-classification"
    assert publish.versions(tmp_path / "l2") == [3]
    assert sets.mark(tmp_path, tmp_path / "labels") == ["l2"]
    assert "The set was deleted since." in file.read_text()
