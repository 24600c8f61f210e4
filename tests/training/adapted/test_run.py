"""Train on from the small champion that the tests share, and publish beside it."""

import dataclasses
import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from testing import warm
from testing.labelled import write_labelled
from testing.waiting import eventually
from testing.warm import WarmProcess
from training import data, publish
from training.adapted import lesson, run, sets, train
from training.adapted.gate import NotBetter
from training.population import Member
from training.progress import read
from training.readers import DataError
from training.stopping import Stop
from training.variants import ADAPTED, AdaptRecipe

pytestmark = pytest.mark.slow
# Nearly cross entropy: so small a champion sees nothing yet in labelled images, and a robust loss leaves them alone.
RECIPE = AdaptRecipe(
    length=60, report_every=30, average=0.9, labelled=64, robustness=0.1, replayed=192, learning_rate=3e-3
)
SMALL = dataclasses.replace(ADAPTED, recipe=RECIPE)


@pytest.fixture
def models(models_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(models_dir, tmp_path / "models"))


@pytest.fixture(scope="module")
def replayed(digits_dir: Path) -> data.ImageSet:
    return data.load(digits_dir)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    write_labelled(tmp_path / "labels")
    return tmp_path / "labels"


def adapt(labels: Path, replayed: data.ImageSet, models: Path, *, trust: bool = False) -> str:
    return run.run(labels, replayed, models, models.parent / "runs", 1, 3, SMALL, background=True, trust=trust)


def adapted(models: Path) -> Any:
    manifest = publish.read_manifest(models)
    assert manifest is not None
    return next((v for v in manifest["variants"] if v["name"] == "adapted"), None)


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in folder.rglob("*") if path.is_file() and path.name not in ("training.json", ".lock")
    }  # fmt: skip


def test_what_is_better_is_published_once_beside_the_others(
    labels: Path, replayed: data.ImageSet, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.adapted.gate.MARGIN", 1.0)  # so few steps on so few images lose more
    before = publish.read_manifest(models)
    assert before
    assert adapt(labels, replayed, models) == "Published adapted 1."
    entry = adapted(models)["training"]
    assert entry["base"] == {"name": "champion", "version": before["variants"][-1]["version"]}
    facts = entry["labels"]
    assert (facts["set"], facts["images"], facts["units"], facts["sources"]) == ("set", 60, 6, {"audit": 60})
    assert (facts["from"], facts["to"]) == ("2026-01-01T00:00:00+00:00", "2026-01-01T00:59:00+00:00")
    assert entry["gate"]["held_out"]["difference"] > 0
    assert entry["gate"]["doubts"] == []
    assert (labels / "set" / "review.jsonl").is_file()
    after = publish.read_manifest(models)
    assert after
    assert [v for v in after["variants"] if v["name"] != "adapted"] == before["variants"]
    assert after["default"] == before["default"]
    assert adapt(labels, replayed, models).startswith("adapted 1 has learned from")
    assert adapted(models)["version"] == 1
    known = lesson.read(labels, replayed, models, "champion")
    longer = dataclasses.replace(SMALL, recipe=dataclasses.replace(RECIPE, length=61))
    assert [run.published(models, each, known, 1) for each in (SMALL, longer)] == [1, 0]

    assert sets.mark(models, labels) == []
    shutil.rmtree(labels / "set")
    assert sets.mark(models, labels) == ["adapted"]
    assert adapted(models)["training"]["labels"]["exists"] is False
    with publish.staging(models):  # by a run of minutes, for which it need not wait
        assert sets.mark(models, labels) == ["adapted"]


def test_a_run_notes_which_sets_have_gone(labels: Path, digits_dir: Path, models: Path) -> None:
    manifest = publish.read_manifest(models)
    assert manifest
    entry = manifest["variants"][0]
    entry["training"]["labels"] = {**lesson.read_labels(labels, data.load(digits_dir)).facts, "set": "gone"}
    entry["training"]["base"] = {"name": "champion", "version": 1}
    (models / "manifest.json").write_text(json.dumps(manifest))
    (labels / "latest").unlink()
    done = warm.run(
        "training", "adapt", f"--labels={labels}", f"--models={models}", f"--data={digits_dir}", "--background"
    )
    assert done.returncode == 2, done.stderr
    after = publish.read_manifest(models)
    assert after
    assert after["variants"][0]["training"]["labels"]["exists"] is False


def test_nothing_is_published_that_the_gate_stops(
    labels: Path, replayed: data.ImageSet, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.adapted.gate.MARGIN", -1.0)
    before = content(models)
    with pytest.raises(NotBetter, match="on the test images its accuracy is"):
        adapt(labels, replayed, models)
    assert content(models) == before


def test_labels_that_are_often_wrong_are_not_learned_unless_asked_for(
    labels: Path, replayed: data.ImageSet, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.adapted.gate.MARGIN", 1.0)
    relabel(labels, lambda right: np.where(np.arange(len(right)) % 3, right, (right + 4) % 10))
    before = content(models)
    with pytest.raises(NotBetter, match=r"it still contradicts .*; where the labels are right, train with --trust-lab"):
        adapt(labels, replayed, models)
    assert content(models) == before
    assert len((labels / "set" / "review.jsonl").read_text().splitlines()) >= 10
    assert adapt(labels, replayed, models, trust=True) == "Published adapted 1."
    [doubt] = adapted(models)["training"]["gate"]["doubts"]
    assert doubt.startswith("it still contradicts")
    assert f"The labels were trusted, though {doubt}." in (models / "adapted" / "README.md").read_text()


def test_a_class_that_is_seen_and_never_labelled_is_not_forgotten(
    replayed: data.ImageSet, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.adapted.gate.MARGIN", 1.0)
    monkeypatch.setattr("training.adapted.mistakes.CONFIDENT", 0.0)  # so small a champion is sure of nothing
    write_labelled(tmp_path, test=300)
    seen = run.answers(models, lesson.read(tmp_path, replayed, models, "champion"))["champion"].argmax(axis=1)
    often = np.bincount(seen).argmax()
    relabel(tmp_path, lambda right: np.where(right == often, (often + 1) % 10, right))
    with pytest.raises(NotBetter, match=f"champion reads .* as {often}, with confidence, and 0 labels say {often}"):
        adapt(tmp_path, replayed, models)
    listed = [json.loads(line) for line in (tmp_path / "set" / "review.jsonl").read_text().splitlines()]
    assert {line["seen"] for line in listed} >= {often}
    assert read(models)["state"] == "failed"


def test_a_set_that_is_deleted_while_it_teaches_is_said_to_be_gone(
    labels: Path, replayed: data.ImageSet, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.adapted.gate.MARGIN", 1.0)
    judge = run.judged

    def judged(*given: Any) -> Any:
        shutil.rmtree(labels / "set")
        return judge(*given)

    monkeypatch.setattr(run, "judged", judged)
    assert adapt(labels, replayed, models) == "Published adapted 1."
    assert adapted(models)["training"]["labels"]["exists"] is False


def test_seed_and_set_decide_the_weights(labels: Path, replayed: data.ImageSet, models: Path) -> None:
    given = lesson.read(labels, replayed, models, "champion")

    def trained(seed: int) -> list[np.ndarray]:
        return train.train_member(Member(SMALL, seed), given, RECIPE, lambda *_: None, Stop()).weights

    for a, b in zip(trained(1), trained(1), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_wrong_label_has_a_bounded_loss() -> None:
    entropies = -np.log(np.array([1.0, 0.25, 1e-30]))
    np.testing.assert_allclose(train.robust(entropies, 0.5), [0.0, 1.0, 2.0], atol=1e-6)


@pytest.mark.parametrize("robustness", [0.0, 1.1, math.nan])
def test_robustness_is_above_0_and_at_most_1(robustness: float) -> None:
    with pytest.raises(ValueError, match="it must be above 0 and at most 1"):
        AdaptRecipe(robustness=robustness)


def test_test_images_do_not_teach(labels: Path, replayed: data.ImageSet) -> None:
    path = labels / "set" / "train-images-idx3-ubyte"
    raw = bytearray(path.read_bytes())
    raw[16 : 16 + 784] = replayed.test_images[0].tobytes()
    path.write_bytes(raw)
    read = lesson.read_labels(labels, replayed)
    assert (len(read.images.train_images), read.facts["images"]) == (59, 59)


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda folder: (folder / "latest").unlink(), "expected a set of labelled images, found none"),
        (lambda folder: shutil.rmtree(folder / "set"), "no such folder"),
        (lambda folder: relabel(folder, np.zeros_like), "expected labelled images of two classes or more"),
        (lambda folder: relabel(folder, lambda labels: labels + 10), "expected classes of digits"),
        (lambda folder: (folder / "set" / "labels.jsonl").write_text(""), "expected a line of labels.jsonl"),
        (lambda folder: smaller(folder), r"expected uint8 \[n, 28, 28\], found uint8 \[60, 14, 14\]"),
    ],
)
def test_a_set_that_teaches_nothing_is_refused(
    labels: Path, replayed: data.ImageSet, models: Path, spoil: Any, text: str
) -> None:
    spoil(labels)
    before = content(models)
    with pytest.raises(DataError, match=text):
        adapt(labels, replayed, models)
    assert content(models) == before


def test_models_of_another_image_set_are_refused(labels: Path, replayed: data.ImageSet, models: Path) -> None:
    other = dataclasses.replace(replayed, train_labels=replayed.train_labels[::-1])
    with pytest.raises(DataError, match="expected variants that learned from digits, found ones that learned from"):
        adapt(labels, other, models)
    manifest = json.loads((models / "manifest.json").read_text())
    manifest["variants"] = [v for v in manifest["variants"] if v["name"] != "champion"]
    (models / "manifest.json").write_text(json.dumps({**manifest, "default": "l2"}))
    with pytest.raises(DataError, match="expected the variant champion to train on from, found none"):
        adapt(labels, replayed, models)


def test_a_run_that_is_killed_leaves_everything_as_it_was_and_the_next_goes_on(
    labels: Path, digits_dir: Path, models: Path
) -> None:
    before = content(models)
    options = (
        "adapt", f"--labels={labels}", f"--models={models}", f"--data={digits_dir}", f"--runs={models.parent}/runs",
        "--background",
    )  # fmt: skip
    process = WarmProcess("training", *options, "--steps=100000", stdout=subprocess.DEVNULL)
    eventually(lambda: list(models.glob(".staging-*")), "the run to begin")
    eventually(lambda: "adapted" in (models / "training.json").read_text(), "its training to begin")
    process.kill()
    process.wait(60)
    parts = [models / f".training.json.{process.pid}.part", models / "l2" / f".README.md.{process.pid}.part"]
    left = {path: text for path, text in content(models).items() if ".staging-" not in path and path != str(parts[0])}
    assert left == before
    for part in parts:  # of a kill while it wrote
        part.write_text("{")
    done = warm.run("training", *options, "--steps=30")
    assert done.returncode in (0, 4), done.stderr
    assert [*models.glob(".staging-*"), *models.rglob(".*.part")] == []
    assert json.loads((models / "training.json").read_text())["state"] in ("finished", "failed")


def relabel(folder: Path, change: Any) -> None:
    for path in (folder / "set").glob("*-labels-idx1-ubyte"):
        raw = path.read_bytes()
        path.write_bytes(raw[:8] + change(np.frombuffer(raw[8:], np.uint8)).astype(np.uint8).tobytes())


def smaller(folder: Path) -> None:
    for part, count in (("train", 60), ("t10k", 40)):
        shape = b"".join(size.to_bytes(4) for size in (count, 14, 14))
        (folder / "set" / f"{part}-images-idx3-ubyte").write_bytes(bytes((0, 0, 8, 3)) + shape + bytes(count * 196))
