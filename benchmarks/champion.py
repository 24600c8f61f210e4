"""The champion over several seeds, and what each part of its recipe is worth.

    python -m benchmarks.champion [--seeds N] [--parts]

Trains the champion from N seeds as the training job does, and prints what each does on the test images, once it is
trained: accuracy, cross-entropy and calibration error at its temperature, accuracy on the test digits drawn again
(benchmarks/redrawn.py), how well the entropy of its answers tells wrong from right, and, where Fashion-MNIST is given,
digits from clothes (area under the ROC curve). With `--parts` it leaves out one part of the recipe at a time and prints
what that does on the 5,000 held-out training images, by which the recipe was chosen.
"""

import argparse
import dataclasses
import os
import sys
import threading
from pathlib import Path

import numpy as np


def main() -> None:
    """Train and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--parts", action="store_true", help="leave out one part of the recipe at a time")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--clothes", type=Path, metavar="DIR", help="folder of Fashion-MNIST's IDX files")
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
        measure(images, ChampionRecipe(), seeds, data.load(arguments.clothes) if arguments.clothes else None)


def measure(images, recipe, seeds, clothes) -> None:
    """Print a row a seed and their mean: what the champion does on the test images."""
    from benchmarks.redrawn import redrawn
    from training import evaluate

    drawn_again = redrawn(images.test_images, seed=1)
    print("seed    accuracy  drawn again  cross-entropy  calibration error  AUROC of errors  AUROC of clothes")
    rows = []
    for seed in seeds:
        predict = trained(images, recipe, seed)
        said = predict(images.test_images)
        right = said.argmax(axis=1) == images.test_labels
        rows.append(
            (
                right.mean(),
                evaluate.accuracy(predict(drawn_again), images.test_labels),
                evaluate.cross_entropy(said, images.test_labels),
                evaluate.calibration_error(said, images.test_labels),
                auroc(entropy(said[~right]), entropy(said[right])),
                auroc(entropy(predict(clothes.test_images)), entropy(said)) if clothes else np.nan,
            )
        )
        print_row(str(seed), rows[-1])
    print_row("mean", np.mean(rows, axis=0))


def print_row(name: str, row) -> None:
    """Print a row of the table of seeds."""
    accuracy, again, loss, ece, errors, far = row
    print(
        f"{name:6}  {accuracy:8.4f}  {again:11.4f}  {loss:13.4f}  {ece:17.4f}  {errors:15.4f}  {far:16.4f}", flush=True
    )


def parts(images, recipe, seeds) -> None:
    """Print how the recipe does on the held-out images, and how it does without each of its parts."""
    from training import evaluate

    count = recipe.held_out(len(images.train_images))
    held, labels = images.train_images[-count:], images.train_labels[-count:]
    without: dict[str, dict] = {
        "the champion's recipe": {},
        "without distortion": {"distort": False},
        "without setting upright": {"set_upright": False},
        "without either": {"distort": False, "set_upright": False},
        "without averaging": {"average": 0.0},
    }
    print(f"{'':24}  accuracy of {count} held out (mean, each)  cross-entropy")
    for name, change in without.items():
        said = [trained(images, dataclasses.replace(recipe, **change), seed)(held) for seed in seeds]
        accuracies = [evaluate.accuracy(p, labels) for p in said]
        each = " ".join(f"{a:.4f}" for a in accuracies)
        loss = np.mean([evaluate.cross_entropy(p, labels) for p in said])
        print(f"{name:24}  {np.mean(accuracies):.4f} ({each})  {loss:.4f}", flush=True)


def trained(images, recipe, seed):
    """Train a champion and return what gives its probabilities, at its temperature, of uint8 images."""
    import tensorflow as tf

    from training import manifest, population
    from training.champion import train
    from training.variants import CHAMPION

    def progress(_, report) -> None:
        print(f"\rseed {seed}: step {report.step}", end="\r", file=sys.stderr, flush=True)

    member = train.train(population.Member(CHAMPION, seed), images, recipe, progress, threading.Event())
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
