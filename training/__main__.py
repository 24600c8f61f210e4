"""The training job's command line: `python -m training data`, `train`, `study`."""

import argparse
import contextlib
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from training import data, fetch, publish
from training.arguments import DATA, parser
from training.variants import ChampionRecipe, Recipe, Variant, select

EXIT_BAD_INPUT, EXIT_DIVERGED = 2, 3


def main() -> int:
    """Parse the command line, do what it says and return the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    arguments = parser().parse_args()
    run = {"data": run_data, "train": run_train, "study": run_study}[arguments.command]
    try:
        return run(arguments)
    except (data.DataError, ValueError, OSError) as error:
        print(f"training: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def run_data(arguments: argparse.Namespace) -> int:
    """Fetch MNIST unless a verified image set is there."""
    fetch.ensure(arguments.data)
    images = data.load(arguments.data)
    print(f"{images.name} in {arguments.data}: {len(images.train_images)} + {len(images.test_images)} images, verified")
    return 0


def run_train(arguments: argparse.Namespace) -> int:
    """Train and publish the variants asked for."""
    variants = select(arguments.variants.split(","))
    if arguments.if_missing:
        variants = missing(variants, arguments.models)
        if not variants:
            print(f"Every variant is published in {arguments.models} already; nothing to train.")
            return 0
    images = load_images(arguments.data)
    with _silenced_stderr():  # here, since TensorFlow takes seconds to load and tells the terminal about it
        from training import export, job, population
    logging.getLogger("tensorflow").setLevel(logging.ERROR)

    recipes = job.Recipes(
        Recipe(epochs=arguments.epochs, learning_rate=arguments.learning_rate), ChampionRecipe(draws=arguments.draws)
    )
    try:
        job.run(images, variants, recipes, arguments.seed, arguments.models, arguments.runs, arguments.keep)
    except (population.Diverged, export.ExportError) as error:
        print(
            f"training: {error}. Nothing was published; try a smaller --learning-rate or another --seed.",
            file=sys.stderr,
        )
        return EXIT_DIVERGED
    except job.Interrupted as interrupted:
        print("training: stopped; nothing was published.", file=sys.stderr)
        return 128 + interrupted.number
    return 0


def run_study(arguments: argparse.Namespace) -> int:
    """Train what is missing of a study and write its tables and its report."""
    images = load_images(arguments.data)
    with _silenced_stderr():
        from training import job, population
        from training.study import command
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        command.main(arguments, images)
    except population.Diverged as error:
        print(f"training: {error}; leave its arm out with --arms.", file=sys.stderr)
        return EXIT_DIVERGED
    except job.Interrupted as interrupted:
        print("training: stopped; what is finished is kept, and the same command goes on.", file=sys.stderr)
        return 128 + interrupted.number
    return 0


@contextlib.contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Send what TensorFlow's libraries print while they are loaded to nowhere; an exception still gets through."""
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def load_images(folder: Path | None) -> data.ImageSet:
    """Return the image set in `folder`, or in data/, into which MNIST is fetched where it is empty."""
    if folder is not None:
        return data.load(folder)
    if DATA.is_dir() and not os.access(DATA, os.W_OK) and not any(DATA.iterdir()):
        with tempfile.TemporaryDirectory() as kept_for_this_run:  # an empty folder mounted read-only
            fetch.fetch(Path(kept_for_this_run))
            return data.load(Path(kept_for_this_run))
    fetch.ensure(DATA)
    return data.load(DATA)


def missing(variants: tuple[Variant, ...], models: Path) -> tuple[Variant, ...]:
    """Return the variants that are not published, and make models.config name this folder for those that are."""
    manifest = publish.read_manifest(models)
    published = [v["name"] for v in manifest["variants"]] if manifest else []
    if published:
        publish.write_config(models, published)
    return tuple(v for v in variants if v.name not in published)


if __name__ == "__main__":
    sys.exit(main())
