"""The training job from an image set to published models."""

import contextlib
import datetime
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from training import evaluate, export, network, population, publish
from training.console import Console
from training.data import SIDE, ImageSet
from training.variants import DEFAULT, VARIANTS, Noise, Recipe, Variant


class Interrupted(Exception):
    """The run was stopped by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run(
    data: ImageSet, variants: Sequence[Variant], recipe: Recipe, seed: int, models: Path, runs: Path, keep: int
) -> None:
    """Train the variants on `data`, publish them in `models`, and write TensorBoard's event files under `runs`.

    Raise population.Diverged, Interrupted or export.ExportError with `models` as it was.
    """
    population.use_one_core_per_member()
    console = Console(variants, population.report_steps(recipe, len(data.train_images)))
    network.build(SIDE * SIDE, len(data.classes), variants[-1].dropout, seed).summary(line_length=70)
    with stop_on_signals() as stop, publish.staging(models) as staged, event_files(runs, variants) as writers:

        def on_report(member: population.Member, report: population.Report) -> None:
            console.report(member.variant, report)
            with writers[member.variant.name].as_default(step=report.step):
                tf.summary.scalar("loss", report.loss)
                tf.summary.scalar("test accuracy", report.accuracy)

        with console:
            members = [population.Member(variant, seed) for variant in variants]
            trained = population.train(members, data, recipe, on_report, stop)
        entries = []
        for member in trained:
            if stop.is_set():
                raise population.Stopped
            version = publish.next_version(models, member.member.variant.name)
            entries.append(export_member(member, data, recipe, staged, version))
        manifest = new_manifest(data, entries, publish.read_manifest(models))
        publish.publish(models, {e["name"]: staged / e["name"] for e in entries}, manifest, keep)
    console.table(entries)


def export_member(
    trained: population.Trained, data: ImageSet, recipe: Recipe, staged: Path, version: int
) -> dict[str, Any]:
    """Export a trained member below `staged`, check it, and return its entry in the manifest."""
    variant = trained.member.variant
    folder = staged / variant.name
    steps = recipe.steps(len(data.train_images))
    noise = variant.noise
    at_end = noise and Noise(noise.kind, noise.strength_at(steps))
    signatures = export.export(trained.weights, at_end, variant.name, data.test_images[:64], folder)
    probabilities = export.check(folder, trained.weights, data.test_images)
    return {
        "name": variant.name,
        "title": variant.title,
        "version": version,
        "parameters": sum(w.size for w in trained.weights),
        "regularisation": {
            "dropout": noise and {"kind": noise.kind, "rate": noise.strength, "schedule": noise.schedule},
            "l2": variant.l2,
            "weight_decay": variant.weight_decay,
        },
        "training": {
            "seed": trained.member.seed,
            "steps": steps,
            "batch": recipe.batch,
            "optimizer": "adamw" if variant.weight_decay else "adam",
            "learning_rate": recipe.learning_rate,
            "learning_rate_schedule": variant.learning_rate_schedule,
        },
        "test": {
            "accuracy": evaluate.accuracy(probabilities, data.test_labels),
            "loss": evaluate.cross_entropy(probabilities, data.test_labels),
            "ece": evaluate.calibration_error(probabilities, data.test_labels),
        },
        "history": [{"step": r.step, "loss": r.loss, "accuracy": r.accuracy} for r in trained.history],
        "signatures": signatures,
    }


def new_manifest(data: ImageSet, entries: Sequence[dict[str, Any]], old: dict[str, Any] | None) -> dict[str, Any]:
    """Return a manifest of these entries, and of `old`'s other variants where they learned from the same images."""
    kept = old["variants"] if old and old["data"]["sha256"] == data.sha256 else []
    by_name = {entry["name"]: entry for entry in (*kept, *entries)}
    order = [v.name for v in VARIANTS if v.name in by_name]
    names = order + [name for name in by_name if name not in order]
    return {
        "schema": 1,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "data": {
            "name": data.name,
            "sha256": data.sha256,
            "train": len(data.train_images),
            "test": len(data.test_images),
        },
        "image": {"height": SIDE, "width": SIDE, "framing": "mnist"},
        "classes": data.classes,
        "default": DEFAULT if DEFAULT in by_name else names[0],
        "variants": [by_name[name] for name in names],
    }


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
