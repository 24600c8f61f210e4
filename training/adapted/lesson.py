"""Read a set of labelled images, and the weights to train on from."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from training import data, publish
from training.data import ImageSet
from training.readers import DataError

LATEST, LINES = "latest", "labels.jsonl"
WEIGHTS = "weights/{}/.ATTRIBUTES/VARIABLE_VALUE"  # of a Servable, in its checkpoint


@dataclass(frozen=True)
class Labels:
    """Labelled images to learn from and to judge by; where all are given, the former come first.

    `predictions` are those of all; `units` are those of the images to judge by, int `[n]`; `facts` go into the
    manifest.
    """

    name: str
    images: ImageSet
    predictions: list[str]
    units: np.ndarray
    facts: dict[str, Any]

    @property
    def all_images(self) -> np.ndarray:
        """Return all images, uint8 `[n, 28, 28]`."""
        return np.concatenate([self.images.train_images, self.images.test_images])

    @property
    def all_labels(self) -> np.ndarray:
        """Return all labels, `[n]`."""
        return np.concatenate([self.images.train_labels, self.images.test_labels])


@dataclass(frozen=True)
class Lesson(ImageSet):
    """An image set to replay, the labels to learn, and the weights of `base`, which learned from the image set."""

    labels: Labels
    base: dict[str, Any]  # its entry in the manifest
    weights: list[np.ndarray]


def read(folder: Path, replayed: ImageSet, models: Path, base: str) -> Lesson:
    """Return the lesson of the newest set in `folder`; raise DataError for one that nothing can be learned from."""
    manifest = publish.read_manifest(models)
    entry = next((v for v in manifest["variants"] if v["name"] == base), None) if manifest else None
    if manifest is None or entry is None:
        raise DataError(f"{models}: expected the variant {base} to train on from, found none; train it first")
    if manifest["data"]["sha256"] != replayed.sha256:
        raise DataError(
            f"{models}: expected variants that learned from {replayed.name}, found ones that learned from "
            f"{manifest['data']['name']}; name their image set with --data"
        )
    labels = read_labels(folder, replayed)
    weights = read_weights(models / base / str(entry["version"]))
    parts = {part: getattr(replayed, part) for part in data.PARTS}
    return Lesson(name=replayed.name, **parts, labels=labels, base=entry, weights=weights)


def read_labels(folder: Path, replayed: ImageSet) -> Labels:
    """Return the newest set in `folder`, without the images by which the replayed set is tested."""
    latest = folder / LATEST
    if not latest.is_file():
        raise DataError(f"{folder}: expected a set of labelled images, found none; write one with make labels")
    name = latest.read_text().strip()
    images = data.load(folder / name, as_stored=True)
    lines = [json.loads(line) for line in (folder / name / LINES).read_text().splitlines()]
    parts = [[line for line in lines if line["part"] == part] for part in ("train", "test")]
    if [len(part) for part in parts] != [len(images.train_images), len(images.test_images)]:
        raise DataError(f"{folder / name}: expected a line of {LINES} for each image, found another number of them")
    known = {image.tobytes() for image in replayed.test_images}
    new = np.array([image.tobytes() not in known for image in images.train_images])
    learned = [line for line, is_new in zip(parts[0], new, strict=True) if is_new]
    _check(folder / name, images, new, replayed)
    units = np.array([int(line["unit"], 16) for line in parts[1]], np.uint64)
    taught = ImageSet(
        name, images.train_images[new], images.train_labels[new], images.test_images, images.test_labels
    )  # fmt: skip
    predictions = [line["prediction"] for line in (*learned, *parts[1])]
    return Labels(name, taught, predictions, units, _facts(name, taught, learned, units))


def read_weights(folder: Path) -> list[np.ndarray]:
    """Return the weights of an exported model, kernels and biases in turn."""
    checkpoint = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    count = sum(name.startswith("weights/") for name in checkpoint.get_variable_to_shape_map())
    return [checkpoint.get_tensor(WEIGHTS.format(i)) for i in range(count)]


def _check(folder: Path, images: ImageSet, new: np.ndarray, replayed: ImageSet) -> None:
    if len(
        unknown := {int(c) for c in (*images.train_labels, *images.test_labels)} - set(range(len(replayed.classes)))
    ):
        raise DataError(f"{folder}: expected classes of {replayed.name}, found {', '.join(map(str, sorted(unknown)))}")
    if len(set(images.train_labels[new].tolist())) < 2:
        raise DataError(
            f"{folder}: expected labelled images of two classes or more to learn from, besides the images that test "
            f"{replayed.name}; found {int(new.sum())} of {len(set(images.train_labels[new].tolist()))}"
        )


def _facts(name: str, images: ImageSet, lines: list[dict[str, Any]], units: np.ndarray) -> dict[str, Any]:
    """Return the facts about a set for the manifest."""
    times = sorted(line["at"] for line in lines)
    return {
        "set": name,
        "sha256": images.sha256,
        "exists": True,
        "images": len(lines),
        "units": len({line["unit"] for line in lines}),
        "from": times[0],
        "to": times[-1],
        "sources": dict(Counter(line["source"] for line in lines)),
        "judged_by": {"images": len(units), "units": len(set(units.tolist()))},
    }
