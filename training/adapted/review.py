"""Collect doubts about labels, and list those that somebody should look at again."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from training import files
from training.adapted.lesson import Labels
from training.adapted.mistakes import CONFIDENT

FILE = "review.jsonl"


class Review:
    """The doubts about a set of labels, and its file of labels that the variants or the candidate contradict.

    Such labels teach all the same: variants are often sure of the very mistakes that labels are to correct.
    """

    def __init__(self, folder: Path, labels: Labels, trust: bool) -> None:
        """Begin with no doubts about a set in `folder`; with `trust`, doubts are no reason to stop."""
        self.file = folder / labels.name / FILE
        self.doubts: list[str] = []
        self._labels, self._trust = labels, trust
        self._listed: dict[int, int] = {}

    def add(self, doubts: Sequence[str], listed: Mapping[int, int]) -> None:
        """Note doubts, and list labels; `listed` has the class that is seen instead, by image."""
        self.doubts += doubts
        self._listed |= listed
        given = self._labels.all_labels
        lines = [
            {"prediction": self._labels.predictions[i], "label": int(given[i]), "seen": seen}
            for i, seen in sorted(self._listed.items())
        ]
        with contextlib.suppress(FileNotFoundError):  # the set was deleted while it was learned
            files.write(self.file, "".join(json.dumps(line) + "\n" for line in lines))

    def reasons(self) -> list[str]:
        """Return why nothing may be published, and the remedy; nothing where the labels are trusted."""
        if not self.doubts or self._trust:
            return []
        remedy = "where the labels are right, train with --trust-labels (make improve ADAPT=--trust-labels)"
        return [*self.doubts, f"look at {self.file}; {remedy}"]


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
