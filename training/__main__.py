"""The training job's command line: `python -m training data`, `train`, `adapt`, `sets`, `study`."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from training import data, fetch, publish, quiet, readers
from training.arguments import DATA, parser, with_options
from training.stopping import Interrupted
from training.variants import ADAPTED, candidate, select

EXIT_BAD_INPUT, EXIT_DIVERGED, EXIT_NOT_BETTER = 2, 3, 4


def main() -> int:
    """Run the command and return the exit code."""
    arguments = parser().parse_args()
    commands = {"data": run_data, "train": run_train, "adapt": run_adapt, "sets": run_sets, "study": run_study}
    run = commands[arguments.command]
    try:
        return run(arguments)
    except (readers.DataError, ValueError, OSError) as error:
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
    publish.refresh_config(arguments.models)  # serving can start beside the job
    there = publish.published_names(arguments.models)
    if arguments.if_missing:
        variants = tuple(v for v in variants if v.name not in there)
    if arguments.until_published:
        variants = () if there else tuple(v for v in variants if v.recipe == variants[0].recipe)
    if not variants:
        rest = "" if arguments.until_published else "; there is nothing to train"
        print(f"Published in {arguments.models}: {', '.join(there)}{rest}.")
        return 0
    os.nice(arguments.nice)
    images = load_images(arguments.data, upright=arguments.upright)
    with quiet.loading_tensorflow():  # here, since it takes seconds
        from training import export, job, population, progress
    variants = tuple(with_options(variant, arguments) for variant in variants)
    try:
        job.run(
            images, variants, arguments.seed, arguments.models, arguments.runs, arguments.keep,
            background=arguments.background, if_missing=arguments.if_missing,
        )  # fmt: skip
    except (population.Diverged, export.ExportError) as error:
        published = so_far(progress.read(arguments.models), arguments.data)
        print(f"training: {error}. {published}; try a smaller --learning-rate or another --seed.", file=sys.stderr)
        return EXIT_DIVERGED
    except Interrupted as interrupted:
        published = so_far(progress.read(arguments.models), arguments.data)
        print(f"training: stopped. {published}.", file=sys.stderr)
        return 128 + interrupted.number
    return 0


def run_adapt(arguments: argparse.Namespace) -> int:
    """Train the champion on with labelled images, and publish the result if it is better; note which sets have gone."""
    run_sets(arguments)
    named = arguments.labels / "candidate"
    name = arguments.name or (named.read_text().strip() if named.is_file() else ADAPTED.name)
    variant = candidate(name, arguments.steps)
    os.nice(arguments.nice)
    images = load_images(arguments.data, upright=arguments.upright)
    with quiet.loading_tensorflow():
        from training import export, population
        from training.adapted import run as adapted
        from training.adapted.gate import NotBetter
    population.use_one_core_per_member()
    try:
        print(adapted.run(
            arguments.labels, images, arguments.models, arguments.runs, arguments.seed, arguments.keep,
            variant, arguments.background, arguments.trust_labels,
        ))  # fmt: skip
    except (population.Diverged, export.ExportError) as error:
        print(f"training: {error}. Nothing was published.", file=sys.stderr)
        return EXIT_DIVERGED
    except NotBetter as error:
        print(f"training: the candidate is not published: {error}.", file=sys.stderr)
        return EXIT_NOT_BETTER
    except Interrupted as interrupted:
        print("training: stopped. Nothing was published; the same command trains again.", file=sys.stderr)
        return 128 + interrupted.number
    return 0


def run_sets(arguments: argparse.Namespace) -> int:
    """Bring the manifest up to date on the sets of labelled images that exist."""
    from training.adapted import sets

    for name in sets.mark(arguments.models, arguments.labels):
        print(f"{name}: the set of labelled images that it learned from no longer exists.")
    return 0


def so_far(run: dict[str, Any], images: Path | None) -> str:
    """Say which variants of a run that ended early are published, and how the others are trained on its `images`."""
    published = [v["name"] for v in run["variants"] if v["state"] == "published"]
    others = [v["name"] for v in run["variants"] if v["state"] != "published"]
    if not published:
        return "Nothing was published"
    on_set = f" --data={images}" if images else ""
    return f"{', '.join(published)} are published; --variants={','.join(others)}{on_set} trains the rest"


def run_study(arguments: argparse.Namespace) -> int:
    """Train the missing members of a study and write its tables and its report."""
    images = load_images(arguments.data, upright=arguments.upright)
    with quiet.loading_tensorflow():
        from training import population
        from training.study import command
    try:
        command.main(arguments, images)
    except population.Diverged as error:
        print(f"training: {error}; leave its arm out with --arms.", file=sys.stderr)
        return EXIT_DIVERGED
    except Interrupted as interrupted:
        print("training: stopped. Finished members are kept; the same command trains the rest.", file=sys.stderr)
        return 128 + interrupted.number
    return 0


def load_images(folder: Path | None, *, upright: bool) -> data.ImageSet:
    """Return the image set in `folder`, or in data/, into which MNIST is fetched where it is empty."""
    if folder is not None:
        images = data.load(folder, upright=upright)
        if len(images.classes) < 2:
            raise readers.DataError(f"{folder}: expected labels of two classes or more, found 0 alone")
        return images
    if DATA.is_dir() and not os.access(DATA, os.W_OK) and not any(DATA.iterdir()):
        with tempfile.TemporaryDirectory() as kept_for_this_run:  # an empty folder mounted read-only
            fetch.fetch(Path(kept_for_this_run))
            return data.load(Path(kept_for_this_run))
    fetch.ensure(DATA)
    return data.load(DATA, upright=upright)


if __name__ == "__main__":
    sys.exit(main())
