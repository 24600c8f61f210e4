"""The training job from an image set to published models."""

import contextlib
import datetime
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from training import manifest, network, population, publish
from training.champion import train as champion
from training.console import Console
from training.data import SIDE, ImageSet
from training.variants import CHAMPION, ChampionRecipe, Recipe, Variant


class Recipes(NamedTuple):
    """How the blog post's variants are trained, and how the champion is."""

    blog_post: Recipe = Recipe()
    champion: ChampionRecipe = ChampionRecipe()

    def of(self, variant: Variant) -> Recipe | ChampionRecipe:
        """Return a variant's."""
        return self.champion if variant == CHAMPION else self.blog_post

    def report_steps(self, variant: Variant, images: int) -> list[int]:
        """Return the steps after which a variant reports, for a training set of so many images."""
        if variant == CHAMPION:
            return champion.report_steps(self.champion, images)
        return population.report_steps(self.blog_post, images)


class Interrupted(Exception):
    """The run was stopped by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run(
    data: ImageSet,
    variants: Sequence[Variant],
    recipes: Recipes,
    seed: int,
    models: Path,
    runs: Path,
    keep: int,
) -> None:
    """Train the variants on `data`, publish them in `models`, and write TensorBoard's event files under `runs`.

    Raise population.Diverged, Interrupted or export.ExportError with `models` as it was.
    """
    population.use_one_core_per_member()
    console = Console({variant.name: recipes.report_steps(variant, len(data.train_images)) for variant in variants})
    network.build(SIDE * SIDE, len(data.classes), variants[-1].dropout, seed).summary(line_length=70)
    with stop_on_signals() as stop, publish.staging(models) as staged, event_files(runs, variants) as writers:

        def on_report(member: population.Member, report: population.Report) -> None:
            console.report(member.variant, report)
            with writers[member.variant.name].as_default(step=report.step):
                tf.summary.scalar("loss", report.loss)
                tf.summary.scalar("test accuracy", report.accuracy)

        with console:
            members = [population.Member(variant, seed) for variant in variants if variant != CHAMPION]
            trained = population.train(members, data, recipes.blog_post, on_report, stop)
            if CHAMPION in variants:  # alone: it keeps every core busy
                best = population.Member(CHAMPION, seed)
                trained.append(champion.train(best, data, recipes.champion, on_report, stop))
        entries = []
        for member in trained:
            if stop.is_set():
                raise population.Stopped
            version = publish.next_version(models, member.member.variant.name)
            recipe = recipes.of(member.member.variant)
            entries.append(manifest.export_member(member, data, recipe, staged, version))
        new = manifest.new_manifest(data, entries, publish.read_manifest(models))
        publish.publish(models, {e["name"]: staged / e["name"] for e in entries}, new, keep)
    console.table(entries)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set, so that what is under way ends in an orderly way, as Interrupted."""
    stop = threading.Event()
    received: list[int] = []

    def on_signal(number: int, _: object) -> None:
        received.append(number)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    except population.Stopped as error:
        raise Interrupted(received[0]) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
