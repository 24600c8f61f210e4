"""Measure the champion over several seeds, and the worth of each part of its recipe.

    python -m benchmarks.champion [--seeds N] [--clothes DIR] [--report DIR]
    python -m benchmarks.champion [--seeds N] --parts

Trains the champion from N seeds as the training job does, and prints a row a seed on the test images: accuracy, also
on the test digits drawn again (benchmarks/redrawn.py) and on every fourth by other hands (benchmarks/reshaped.py),
cross-entropy and calibration error at its temperature. Areas under the ROC curve follow: entropy as a detector of
errors and, given Fashion-MNIST, of clothes. A second table has digits drawn by strokes, such as a 1 with a flag or a
crossed 7 (benchmarks/hands.py). With `--report` the first seed's answers join the report of the study in that folder.
With `--parts` it leaves out one part of the recipe at a time, and prints accuracy on the held-out training images,
which chose the recipe, and on 1s with flags.
"""

import argparse
import dataclasses
import os
import sys
from pathlib import Path

import numpy as np

from training.stopping import Stop

BY_HANDS = 4  # every fourth test image is drawn by each hand
BY_STROKES = 400  # digits of each kind that are drawn by strokes


def main() -> None:
    """Train and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--parts", action="store_true", help="leave out one part of the recipe at a time")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--clothes", type=Path, metavar="DIR", help="folder of Fashion-MNIST's IDX files")
    parser.add_argument("--report", type=Path, metavar="DIR", help="folder of a study, such as runs/study")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    from training import data, population
    from training.variants import ChampionRecipe

    population.use_one_core_per_member()
    images = data.load(arguments.data)
    seeds = range(1, arguments.seeds + 1)
    if arguments.parts:
        parts(images, ChampionRecipe(), seeds)
    else:
        clothes = data.load(arguments.clothes) if arguments.clothes else None
        measure(images, ChampionRecipe(), seeds, clothes, arguments.report)


def measure(images, recipe, seeds, clothes, report) -> None:
    """Print a row a seed on the test images, then their mean and range, then a row a hand that draws by strokes."""
    from benchmarks import hands
    from benchmarks.redrawn import redrawn
    from benchmarks.reshaped import HANDS, reshaped
    from training import evaluate

    some, labels = images.test_images[::BY_HANDS], images.test_labels[::BY_HANDS]
    drawings = {"drawn again": (redrawn(images.test_images, seed=1), images.test_labels)}
    drawings |= {name: (reshaped(some, hand, seed=1), labels) for name, hand in HANDS.items()}
    by_strokes = {name: hands.drawn(hand, BY_STROKES, seed=1) for name, hand in hands.HANDS.items()}
    accuracies: dict[str, list[float]] = {name: [] for name in by_strokes}
    rows: list[list[float]] = []
    for seed in seeds:
        predict = trained(images, recipe, seed)
        said = predict(images.test_images)
        right = said.argmax(axis=1) == images.test_labels
        row = {"accuracy": right.mean()}
        row |= {name: evaluate.accuracy(predict(drawn), truth) for name, (drawn, truth) in drawings.items()}
        for name, drawn in by_strokes.items():
            accuracies[name].append((predict(drawn).argmax(axis=1) == hands.HANDS[name].digit).mean())
        row["cross-entropy"] = evaluate.cross_entropy(said, images.test_labels)
        row["calibration error"] = evaluate.calibration_error(said, images.test_labels)
        row["AUROC of errors"] = auroc(entropy(said[~right]), entropy(said[right]))
        if clothes:
            row["AUROC of clothes"] = auroc(entropy(predict(clothes.test_images)), entropy(said))
        if report and not rows:
            (report / "models").mkdir(parents=True, exist_ok=True)
            np.savez(report / "models" / "champion.npz", probabilities=said, labels=images.test_labels)
        if not rows:
            print("seed    " + "  ".join(f"{name:>11}" for name in row))
        rows.append(list(row.values()))
        print_row(str(seed), row, rows[-1])
    for name, summary in zip(
        ("mean", "least", "most"), (np.mean(rows, 0), np.min(rows, 0), np.max(rows, 0)), strict=True
    ):
        print_row(name, row, summary)
    print(f"\n{'drawn by strokes':24}  accuracy of {BY_STROKES} (mean, each)")
    for name, each in accuracies.items():
        print(f"{name:24}  {np.mean(each):.4f} ({' '.join(f'{a:.4f}' for a in each)})")


def print_row(name: str, columns, values) -> None:
    """Print a row of the table of seeds."""
    cells = (f"{value:{max(11, len(column))}.4f}" for column, value in zip(columns, values, strict=True))
    print(f"{name:6}  " + "  ".join(cells), flush=True)


def parts(images, recipe, seeds) -> None:
    """Print the recipe's accuracy on the held-out images, and that without each of its parts."""
    from benchmarks import hands
    from training import evaluate

    learned = recipe.learned_from(len(images.train_images))
    held, labels = images.train_images[learned:], images.train_labels[learned:]
    without: dict[str, dict] = {
        "the champion's recipe": {},
        "without distortion": {"distort": False},
        "without setting upright": {"set_upright": False},
        "without either": {"distort": False, "set_upright": False},
        "without averaging": {"average": 0.0},
        "without flags": {"flagged": 0.0},
    }
    flagged = hands.drawn(hands.HANDS["1 with a flag"], BY_STROKES, seed=1)
    print(f"{'':24}  accuracy of {len(held)} held out (mean, each)  cross-entropy  of 1s with flags")
    for name, change in without.items():
        predictions = [trained(images, dataclasses.replace(recipe, **change), seed) for seed in seeds]
        said = [predict(held) for predict in predictions]
        ones = np.mean([(predict(flagged).argmax(axis=1) == 1).mean() for predict in predictions])
        accuracies = [evaluate.accuracy(p, labels) for p in said]
        each = " ".join(f"{a:.4f}" for a in accuracies)
        loss = np.mean([evaluate.cross_entropy(p, labels) for p in said])
        print(f"{name:24}  {np.mean(accuracies):.4f} ({each})  {loss:.4f}  {ones:.4f}", flush=True)


def trained(images, recipe, seed):
    """Train a champion and return the function from uint8 images to probabilities, at its temperature."""
    import tensorflow as tf

    from training import manifest, population
    from training.champion import train
    from training.variants import CHAMPION

    def progress(_, report) -> None:
        print(f"\rseed {seed}: step {report.step}", end="\r", file=sys.stderr, flush=True)

    member = train.train_member(population.Member(CHAMPION, seed), images, recipe, progress, Stop())
    predict, _ = manifest.prediction_of(member, images, recipe)
    weights = [tf.constant(w) for w in member.weights]
    return lambda some: predict(weights, tf.constant(some)).numpy()


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return the entropy of each row of `[n, classes]`, in nats."""
    return -(probabilities * np.log(np.maximum(probabilities, 1e-30))).sum(axis=1)


def auroc(higher: np.ndarray, lower: np.ndarray) -> float:
    """Return the probability that one of `higher` is above one of `lower`, ties counting half (Mann & Whitney 1947)."""
    from scipy import stats

    return float(stats.mannwhitneyu(higher, lower).statistic / (len(higher) * len(lower)))


if __name__ == "__main__":
    main()
