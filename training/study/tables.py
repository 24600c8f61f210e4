"""Write results as rows: a member's figures, its curve, and the CSV files of all members."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from training import files
from training.study.result import Curve, Result

PERCENTS = (90, 95, 97)  # of test images right: when a member first gets there
COLUMNS = (
    "test_accuracy", "test_loss", "test_brier", "test_ece", "train_accuracy", "train_loss", "accuracy_gap", "loss_gap",
    *(f"steps_to_{percent}" for percent in PERCENTS),
)  # fmt: skip


def right(result: Result, labels: np.ndarray) -> np.ndarray:
    """Return which test images a member has right, bool `[n]`."""
    return result.predicted == labels


def figures(result: Result, labels: np.ndarray) -> dict[str, float]:
    """Return a member's figures by the names of COLUMNS, at its final step.

    A gap is the difference between training and test images. `steps_to_…` is the first report at or above that
    accuracy; NaN where there is none.
    """
    accuracy = float(right(result, labels).mean())
    return {
        "test_accuracy": accuracy,
        "test_loss": result.test_loss,
        "test_brier": result.test_brier,
        "test_ece": result.test_ece,
        "train_accuracy": result.train_accuracy,
        "train_loss": result.train_loss,
        "accuracy_gap": result.train_accuracy - accuracy,
        "loss_gap": result.test_loss - result.train_loss,
        **{f"steps_to_{percent}": steps_to(result.curve, percent / 100) for percent in PERCENTS},
    }


def steps_to(curve: Curve, accuracy: float) -> float:
    """Return the first reported step at which test accuracy is at least `accuracy`, NaN where it never is."""
    reached = curve.step[curve.test_accuracy >= accuracy]
    return float(reached[0]) if len(reached) else float("nan")


def write(folder: Path, results: Sequence[Result], labels: np.ndarray) -> None:
    """Write results.csv, a row a member, and curves.csv, a row a report, sorted by arm and seed."""
    in_order = sorted(results, key=lambda r: (r.arm, r.seed))
    rows = ([r.arm, r.seed, *(_cell(v) for v in figures(r, labels).values())] for r in in_order)
    write_csv(folder / "results.csv", ["arm", "seed", *COLUMNS], rows)
    names = list(Curve.__dataclass_fields__)
    points = (
        [r.arm, r.seed, *(_cell(v) for v in point)]
        for r in in_order
        for point in zip(*(getattr(r.curve, name).tolist() for name in names), strict=True)
    )
    write_csv(folder / "curves.csv", ["arm", "seed", *names], points)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    files.write(path, text.getvalue())


def _cell(value: float) -> str:
    """Return a number to eight significant digits, nothing for NaN."""
    return "" if value != value else f"{value:.8g}"
