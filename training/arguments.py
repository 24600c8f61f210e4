"""Parse the training job's command line."""

import argparse
import math
import os
from dataclasses import replace
from pathlib import Path

from training.variants import ADAPTED, VARIANTS, AdaptRecipe, ChampionRecipe, Recipe, Variant

DATA, RUNS, LABELS = Path("data"), Path("runs"), Path("labels")
MODELS = Path(os.environ.get("GATEWAY_MODELS_DIR") or "models")  # the folder that the gateway serves
SUITES = ("regularisers", "convolution")
OPTIONS = {Recipe: ("epochs", "learning_rate"), ChampionRecipe: ("draws",)}  # fields that the command line can set


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m training", description="The training job.")
    commands = top.add_subparsers(required=True, dest="command", metavar="COMMAND")
    get = commands.add_parser("data", help="fetch MNIST and verify it")
    get.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="folder to put it into (default: data)")
    _add_train(commands.add_parser("train", help="train variants and publish them in models/"))
    _add_adapt(
        commands.add_parser("adapt", help="train the champion on with labelled images, and publish what is better")
    )
    sets = commands.add_parser("sets", help="say in the manifest which sets of labelled images no longer exist")
    _add_labels(sets)
    _add_study(commands.add_parser("study", help="train many seeds of many arms and compare them"))
    return top


def _add_train(train: argparse.ArgumentParser) -> None:
    names = ",".join(v.name for v in VARIANTS)
    _add_data(
        train, "folder of an image set, IDX, CSV or mnist.npz (default: data, into which MNIST is fetched if need be)"
    )
    _add_models(train)
    train.add_argument(
        "--runs", type=Path, default=RUNS, metavar="DIR", help="TensorBoard's event files (default: runs)"
    )
    train.add_argument("--variants", default=names, metavar="A,B", help=f"which to train (default: {names})")
    train.add_argument("--if-missing", action="store_true", help="only those that are not published yet")
    train.add_argument(
        "--until-published", action="store_true", help="end as soon as anything is published, before the next recipe"
    )
    train.add_argument("--background", action="store_true", help="print reports alone: no progress bar, no summary")
    train.add_argument(
        "--nice", type=int, default=0, metavar="N", help="lower the job's priority by N, as nice(1) does (default: 0)"
    )
    train.add_argument("--seed", type=natural, default=1, metavar="N", help="decides a run bit for bit (default: 1)")
    train.add_argument(
        "--epochs", type=positive, default=Recipe.epochs, metavar="N",
        help="of the recipe that counts in epochs: times that every image is seen (default: %(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--learning-rate", type=rate, default=Recipe.learning_rate, metavar="X",
        help="of the same recipe (default: %(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--draws", type=positive, default=ChampionRecipe.draws, metavar="N",
        help="of the recipe that distorts: times that every image is distorted anew (default: %(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--keep", type=positive, default=3, metavar="N", help="versions of a variant to keep (default: 3)"
    )


def _add_adapt(adapt: argparse.ArgumentParser) -> None:
    _add_labels(adapt)
    _add_data(adapt, "folder of the image set to replay (default: data)")
    adapt.add_argument(
        "--runs", type=Path, default=RUNS, metavar="DIR", help="TensorBoard's event files (default: runs)"
    )
    adapt.add_argument("--background", action="store_true", help="print reports alone: no progress bar")
    adapt.add_argument("--nice", type=int, default=0, metavar="N", help="lower the job's priority by N (default: 0)")
    adapt.add_argument("--seed", type=natural, default=1, metavar="N", help="decides a run bit for bit (default: 1)")
    adapt.add_argument(
        "--steps", type=positive, default=AdaptRecipe.length, metavar="N", help="of training (default: %(default)s)"
    )
    adapt.add_argument(
        "--name", metavar="NAME", help=f"of the variant to publish (default: as the labels say, else {ADAPTED.name})"
    )
    adapt.add_argument("--keep", type=positive, default=3, metavar="N", help="versions to keep (default: 3)")
    adapt.add_argument(
        "--trust-labels", action="store_true", help="publish what is better though many labels seem to be wrong"
    )  # fmt: skip


def _add_data(parser: argparse.ArgumentParser, meaning: str) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR", help=meaning)
    parser.add_argument(
        "--upright", action="store_true", help="its images are upright: transpose none that look stored columns first"
    )


def _add_labels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--labels", type=Path, default=LABELS, metavar="DIR", help="folder that make labels writes to (default: labels)"
    )
    _add_models(parser)


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models", type=Path, default=MODELS, metavar="DIR",
        help="where to publish (default: GATEWAY_MODELS_DIR, else models)",
    )  # fmt: skip


def _add_study(study: argparse.ArgumentParser) -> None:
    study.add_argument("--suite", choices=SUITES, default=SUITES[0], help="(default: %(default)s)")
    study.add_argument("--quick", action="store_true", help="a small study, in about two minutes on two cores")
    study.add_argument("--seeds", type=positive, metavar="N", help="of every arm (default: the arm's own number)")
    study.add_argument("--arms", metavar="A,B", help="which to train and compare (default: all)")
    study.add_argument("--epochs", type=positive, metavar="N", help="(default: the suite's own number)")
    _add_data(study, "folder of an image set (default: data)")
    study.add_argument("--folder", type=Path, metavar="DIR", help="of the results (default: runs/study, or -quick)")
    study.add_argument(
        "--ray", metavar="ADDRESS", help="train on a Ray cluster: HOST:PORT of its head, or auto for the one here"
    )
    parts = study.add_mutually_exclusive_group()
    parts.add_argument(
        "--shard", type=shard, metavar="INDEX/COUNT",
        help="train one of COUNT parts, from 0 on, and write no tables; other machines train the others",
    )  # fmt: skip
    parts.add_argument(
        "--merge", type=Path, nargs="*", metavar="DIR",
        help="train nothing: write tables of all parts in --folder and in these folders",
    )  # fmt: skip
    study.add_argument("--timing", action="store_true", help="only time a step of each of the seed's four arms")


def with_options(variant: Variant, arguments: argparse.Namespace) -> Variant:
    """Return the variant with its recipe as the arguments change it; each option belongs to one kind of recipe."""
    names = OPTIONS[type(variant.recipe)]
    return replace(variant, recipe=replace(variant.recipe, **{name: getattr(arguments, name) for name in names}))


def shard(text: str) -> tuple[int, int]:
    """Return `INDEX/COUNT` as two integers, the index from 0 and below the count."""
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(
            f"{text} is not INDEX/COUNT, such as 0/4, with an index from 0 below the count"
        )
    return int(index), int(count)


def positive(text: str) -> int:
    """Return `text` as an integer from 1."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def rate(text: str) -> float:
    """Return `text` as a number above 0."""
    if not 0 < (number := float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return number


def natural(text: str) -> int:
    """Return `text` as an integer from 0 to the largest seed."""
    if not 0 <= (number := int(text)) < 2**20:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {2**20 - 1}")
    return number
