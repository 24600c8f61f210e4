"""Pictures as people send them, through the gateway's framing and the published champion: right answers of each kind.

    python -m benchmarks.uploads [--pictures N] [--kinds TEXT] [--models DIR] [--data DIR]

Draws N pictures of each digit and kind from strokes (testing/pictures), and asks the champion. Prints right of asked by
kind. Of pictures with two or three digits it prints how many are refused, and how many are split rightly. Of the image
set it prints how many images come out as they went in: all have to. Exits with 1 where a kind is read worse than the
goal.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.processes import spread
from serving.gateway.errors import GatewayError
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.uploads import Upload, frame_uploads
from serving.gateway.settings import Settings
from testing.encoded import encode
from testing.pictures.kinds import CLEAN, KINDS
from testing.pictures.several import several
from training.data import load

GOAL = 0.95
SEVERAL, FRAMED = "several digits", "framed already"
BELOW = "  below the goal"
SETTINGS = Settings.from_environ({})
FORMAT = ImageFormat(height=28, width=28, framing="mnist")


class Asked(NamedTuple):
    """A picture: its kind, the digit that it shows, its number and its framed pixels, None for a refused one."""

    kind: str
    digit: int
    number: int
    pixels: np.ndarray | None


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=10, metavar="N", help="of each digit (default: %(default)s)")
    parser.add_argument("--kinds", default="", metavar="TEXT", help="only kinds whose name holds this text")
    parser.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20, metavar="N", help="of the pictures (default: %(default)s)")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kinds = [kind for kind in KINDS if arguments.kinds in kind]
    asked = list(frame_all(kinds, arguments.pictures, arguments.seed))
    labels = answers(arguments.models, asked)
    failed = False
    for kind in kinds:
        right = [each.digit == label for each, label in zip(asked, labels, strict=True) if each.kind == kind]
        refused = sum(each.pixels is None for each in asked if each.kind == kind)
        missed = np.mean(right) < (1 if kind in CLEAN else GOAL)
        failed |= bool(missed)
        print(f"{kind:32} {sum(right):4} of {len(right)}  refused {refused}{BELOW if missed else ''}")
    if arguments.kinds in SEVERAL:
        failed |= count_several(arguments.models, 20 * arguments.pictures, arguments.seed)
    if arguments.kinds in FRAMED:
        failed |= count_framed(arguments.data)
    sys.exit(failed)


def count_several(models: Path, pictures: int, seed: int) -> bool:
    """Print how many pictures of several digits are refused, and how many are split rightly; return whether too few."""
    found = spread(partial(_split, seed), range(pictures), chunk=10)
    right = [len(each.digits) == len(each.pixels) for each in found]
    digits = [digit for each, well in zip(found, right, strict=True) if well for digit in each.digits]
    pixels = [one for each, well in zip(found, right, strict=True) if well for one in each.pixels]
    read = np.mean(np.array(labels_of(models, pixels)) == digits)
    refused = sum(each.refused for each in found)
    few = min(refused, sum(right)) < GOAL * pictures
    print(f"{SEVERAL + ', refused':32} {refused:4} of {pictures}{BELOW if few else ''}")
    print(
        f"{SEVERAL + ', split in so many':32} {sum(right):4} of {pictures}; {100 * read:.1f} % of these digits are read"
    )
    return few


def count_framed(data: Path) -> bool:
    """Print how many images of the set come out bit for bit; return whether not all do."""
    found = load(data)
    images = np.concatenate([found.train_images, found.test_images])
    same = sum(spread(_same, images, chunk=1000))
    print(f"{FRAMED + ', the same after':32} {same:4} of {len(images)}{BELOW if same < len(images) else ''}")
    return same < len(images)


def _same(image: np.ndarray) -> bool:
    [[digit]] = frame_uploads([Upload("", encode(image))], FORMAT, SETTINGS)
    return digit.pixels == image.tobytes()


class Split(NamedTuple):
    """A picture of several digits: these, whether it is refused, and the pixels of each that is found."""

    digits: list[int]
    refused: bool
    pixels: list[np.ndarray]


def _split(seed: int, number: int) -> Split:
    data, digits = several(np.random.default_rng([seed, number]))
    [found] = frame_uploads([Upload("", data)], FORMAT, SETTINGS, split=True)
    return Split(digits, len(found) > 1, [np.frombuffer(each.pixels, np.uint8).reshape(28, 28) for each in found])


def frame_all(kinds: Iterable[str], pictures: int, seed: int) -> Iterable[Asked]:
    """Draw and frame so many pictures of each digit and kind, in all cores."""
    tasks = [(kind, digit, number) for kind in kinds for digit in range(10) for number in range(pictures)]
    return spread(partial(_asked, seed), tasks, chunk=10)


def picture(seed: int, kind: str, digit: int, number: int) -> bytes:
    """Return one picture as a file."""
    return KINDS[kind](digit, np.random.default_rng([seed, list(KINDS).index(kind), digit, number]))


def _asked(seed: int, task: tuple[str, int, int]) -> Asked:
    try:
        [[digit]] = frame_uploads([Upload("", picture(seed, *task))], FORMAT, SETTINGS)
    except GatewayError:
        return Asked(*task, None)
    return Asked(*task, np.frombuffer(digit.pixels, np.uint8).reshape(FORMAT.height, FORMAT.width))


def answers(models: Path, asked: list[Asked]) -> list[int]:
    """Return the champion's label of each picture, −1 for a refused one."""
    labels = iter(labels_of(models, [each.pixels for each in asked if each.pixels is not None]))
    return [-1 if each.pixels is None else next(labels) for each in asked]


def labels_of(models: Path, pixels: Sequence[np.ndarray]) -> list[int]:
    """Return the champion's label of each image, uint8 `[28, 28]`."""
    import tensorflow as tf

    newest = max((models / "champion").glob("[0-9]*"), key=lambda folder: int(folder.name))
    predict = tf.saved_model.load(str(newest)).signatures["serving_default"]
    labels: list[int] = []
    for start in range(0, len(pixels), 500):
        found = predict(images=tf.constant(np.stack(pixels[start : start + 500])))["probabilities"].numpy()
        labels += found.argmax(axis=1).tolist()
    return labels


if __name__ == "__main__":
    main()
