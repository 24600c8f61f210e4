"""Run the training job: from an image set to published models."""

import contextlib
import datetime
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from training import manifest, network, population, publish
from training.console import Console
from training.data import SIDE, ImageSet
from training.familiarity import clusters_of
from training.progress import Progress, recorded
from training.readers import DataError
from training.stopping import Stop, stop_on_signals
from training.trainers import trainer_of
from training.variants import VARIANTS, Variant


def run(
    data: ImageSet,
    variants: Sequence[Variant],
    seed: int,
    models: Path,
    runs: Path,
    keep: int,
    background: bool = False,
    if_missing: bool = False,
) -> None:
    """Train the variants on `data`, publish them in `models`, and write TensorBoard's event files under `runs`.

    Variants of one recipe are trained together and published before the next recipe begins. In the background there
    is no progress bar and no summary of the network. With `if_missing`, those that another run publishes meanwhile are
    left out. Raise population.Diverged, stopping.Interrupted or export.ExportError; recipes published before stay so.
    Raise DataError where others would be withdrawn, since they learned from another image set.
    """
    population.use_one_core_per_member()
    entries: list[dict[str, Any]] = []
    with publish.staging(models) as staged:  # outside of `stop_on_signals`, so that a signal ends the wait for it, too
        if if_missing:
            there = publish.published_names(models)
            variants = [v for v in variants if v.name not in there]
        check_set(data, [variant.name for variant in variants], models, if_missing=if_missing)
        if not variants:
            print(f"All of them are published in {models} by now.")
            return
        steps = {v.name: v.recipe.steps(v.recipe.learned_from(len(data.train_images))) for v in variants}
        if not background:
            network.build(SIDE * SIDE, len(data.classes), variants[-1].dropout, seed).summary(line_length=70)
        with (
            stop_on_signals() as stop,
            recorded(models, variants, steps) as progress,
            event_files(runs, variants) as writers,
            Console(steps, not background) as console,
        ):
            for _, group in itertools.groupby(variants, key=lambda variant: variant.recipe):
                members = [population.Member(variant, seed) for variant in group]
                trained = train(members, data, console, writers, progress, stop)
                entries += publish_members(trained, data, models, staged, keep, stop)
                progress.move([member.variant for member in members], "published")
        console.table(entries)


def check_set(data: ImageSet, names: Sequence[str], models: Path, *, if_missing: bool) -> None:
    """Raise DataError where variants that stay published learned from another image set: a manifest has one."""
    old = publish.read_manifest(models)
    if old is None or old["data"]["sha256"] == data.sha256:
        return
    others = {variant.name for variant in VARIANTS} & {each["name"] for each in old["variants"]} - set(names)
    if names and (if_missing or others):
        raise DataError(
            f"{models}: expected {old['data']['name']}, which its variants learned from, found {data.name}; name their "
            "set with --data, train all variants anew, or publish into another folder with --models"
        )


def train(
    members: Sequence[population.Member],
    data: ImageSet,
    console: Console,
    writers: Mapping[str, tf.summary.SummaryWriter],
    progress: Progress,
    stop: Stop,
) -> list[population.Trained]:
    """Train members of one recipe, and tell the console, the event files and the progress file how they stand."""

    def on_report(member: population.Member, report: population.Report) -> None:
        console.report(member.variant, report)
        with writers[member.variant.name].as_default(step=report.step):
            write_scalar("loss", report.loss)
            write_scalar("test accuracy", report.accuracy)

    def on_progress(member: population.Member, done: int) -> None:
        console.step(member.variant, done)
        progress.step(member.variant, done)

    recipe = members[0].variant.recipe
    progress.move([member.variant for member in members], "training")
    return trainer_of(recipe).train(members, data, recipe, on_report, stop, on_progress)


def publish_members(
    trained: Sequence[population.Trained], data: ImageSet, models: Path, staged: Path, keep: int, stop: Stop
) -> list[dict[str, Any]]:
    """Export and publish trained members; return their entries in the manifest."""
    entries = []
    clusters = clusters_of(data.train_images, data.train_labels, len(data.classes))
    for member in trained:
        stop.check()
        version = publish.next_version(models, member.member.variant.name)
        entries.append(manifest.export_member(member, data, clusters, staged, version))
    new = manifest.new_manifest(data, entries, publish.read_manifest(models))
    publish.publish(models, {entry["name"]: staged / entry["name"] for entry in entries}, new, keep)
    return entries


def write_scalar(name: str, value: float) -> None:
    """Write a figure to the current event file, as TensorBoard's own scalar summary does, without that package."""
    metadata = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"}, data_class="DATA_CLASS_SCALAR")
    tf.summary.write(name, tf.constant(value, tf.float32), metadata=metadata)


@contextlib.contextmanager
def event_files(runs: Path, variants: Sequence[Variant]) -> Iterator[dict[str, tf.summary.SummaryWriter]]:
    """Give a TensorBoard writer for each variant, in a folder named for the time."""
    folder = runs / datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    with contextlib.ExitStack() as stack:
        writers = {}
        for variant in variants:
            writers[variant.name] = tf.summary.create_file_writer(str(folder / variant.name))
            stack.callback(writers[variant.name].close)
        yield writers
