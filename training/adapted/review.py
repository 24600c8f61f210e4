"""List labels that the variants or the candidate contradict: somebody should look at them again."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from training import files
from training.adapted.lesson import Labels
from training.adapted.mistakes import CONFIDENT

FILE = "review.jsonl"


def write(file: Path, labels: Labels, found: Mapping[int, int]) -> None:
    """Write doubtful labels of a set; `found` has the class that is seen instead, by image.

    They teach all the same: variants are often sure of the very mistakes that labels are to correct.
    """
    given = labels.all_labels
    lines = [
        {"prediction": labels.predictions[i], "label": int(given[i]), "seen": seen} for i, seen in sorted(found.items())
    ]
    files.write(file, "".join(json.dumps(line) + "\n" for line in lines))


def contradicted(said: Sequence[np.ndarray], labels: np.ndarray) -> dict[int, int]:
    """Return the class that most variants see instead, by image; `said` has the probabilities `[n, classes]` of each.

    Most is more than half of the variants, with a mean confidence of CONFIDENT at least.
    """
    classes = np.stack([each.argmax(axis=1) for each in said])
    confidences = np.stack([each.max(axis=1) for each in said])
    found = {}
    for i, label in enumerate(labels):
        votes = np.bincount(classes[:, i], minlength=said[0].shape[1])
        most = int(votes.argmax())
        sure = confidences[classes[:, i] == most, i].mean() >= CONFIDENT
        if most != label and votes[most] * 2 > len(said) and sure:
            found[i] = most
    return found
