"""Read a suite's tables for its report."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Tables:
    """The files that a suite has written.

    `results[arm][column]` is `[seeds]`; `curves[arm][column]` is `[seeds, reports]`; NaN where a cell is empty.
    `timings` is None where nothing was timed.
    """

    statistics: dict[str, Any]
    results: dict[str, dict[str, np.ndarray]]
    curves: dict[str, dict[str, np.ndarray]]
    timings: dict[str, Any] | None

    def title(self, arm: str) -> str:
        """Return an arm's title."""
        return self.statistics["arms"][arm]["title"]


def read(folder: Path) -> Tables:
    """Return the tables in a suite's folder."""
    timings = folder / "timings.json"
    curves = _columns(folder / "curves.csv")
    for of_arm in curves.values():
        seeds = len(set(of_arm["seed"].tolist()))
        of_arm.update({name: values.reshape(seeds, -1) for name, values in of_arm.items()})
    return Tables(
        json.loads((folder / "statistics.json").read_text(encoding="utf-8")),
        _columns(folder / "results.csv"),
        curves,
        json.loads(timings.read_text(encoding="utf-8")) if timings.is_file() else None,
    )


def _columns(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return a CSV file's numbers by arm and column."""
    arms: dict[str, list[dict[str, str]]] = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            arms.setdefault(row.pop("arm"), []).append(row)
    return {
        arm: {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}
        for arm, rows in arms.items()
    }
