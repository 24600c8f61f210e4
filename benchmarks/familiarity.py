"""Measure how well familiarity tells right from wrong answers, and digits from other things.

    python -m benchmarks.familiarity [--images N] [--clothes DIR] [--models DIR] [--data DIR]

Asks each published model about N test images drawn again by other hands (benchmarks/redrawn.py, reshaped.py), about
the test images and about drawn clothes (testing/pictures/clothes.py), or Fashion-MNIST's. Prints areas under the ROC
curve. Exits with 1 where the champion misses a goal.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from benchmarks.champion import auroc
from benchmarks.redrawn import redrawn
from benchmarks.reshaped import HANDS, reshaped
from testing.pictures.clothes import clothes
from training.data import load

ANSWERS, CLOTHES = 0.90, 0.98  # goals
CHAMPION = "champion"
BATCH = 500


def main() -> None:
    """Print a row a model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000, metavar="N", help="of each hand (default: %(default)s)")
    parser.add_argument("--clothes", type=Path, metavar="DIR", help="folder of Fashion-MNIST's files")
    parser.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: %(default)s)")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    data = load(arguments.data)
    some, labels = data.test_images[: arguments.images], data.test_labels[: arguments.images]
    drawings = np.concatenate([redrawn(some, seed=1), *(reshaped(some, hand, seed=1) for hand in HANDS.values())])
    truth = np.tile(labels, 1 + len(HANDS))
    others = load(arguments.clothes).test_images if arguments.clothes else clothes(arguments.images, seed=1)
    missed = False
    print("            wrong, of other hands  AUROC, right over wrong  AUROC, digits over clothes")
    for folder in sorted({each.parent for each in arguments.models.glob("*/[0-9]*")}):
        newest = max(folder.glob("[0-9]*"), key=lambda version: int(version.name))
        found, scores = answers(newest, drawings)
        wrong = found != truth
        of_answers = auroc(scores[~wrong], scores[wrong])
        of_clothes = auroc(answers(newest, data.test_images)[1], answers(newest, others)[1])
        print(f"{folder.name:12}{wrong.sum():10} of {len(truth)}{of_answers:25.4f}{of_clothes:28.4f}", flush=True)
        missed |= folder.name == CHAMPION and (of_answers < ANSWERS or of_clothes < CLOTHES)
    sys.exit(missed)


def answers(model: Path, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an exported model's labels and familiarities of images, uint8 `[n, 28, 28]`."""
    import tensorflow as tf

    signatures = tf.saved_model.load(str(model)).signatures
    if "with_familiarity" not in signatures:
        sys.exit(f"{model} gives no familiarity: it was exported before; train it anew (make train).")
    predict = signatures["with_familiarity"]
    parts = [predict(images=tf.constant(images[at : at + BATCH])) for at in range(0, len(images), BATCH)]
    labels = [part["probabilities"].numpy().argmax(axis=1) for part in parts]
    return np.concatenate(labels), np.concatenate([part["familiarity"].numpy() for part in parts])


if __name__ == "__main__":
    main()
