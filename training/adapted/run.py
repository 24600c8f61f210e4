"""Train a candidate on labels, judge it, and publish it where it is better."""

from pathlib import Path
from typing import Any

import numpy as np

from training import export, job, manifest, population, publish
from training.adapted import lesson as lessons
from training.adapted import mistakes
from training.adapted.gate import Judgement, NotBetter, Right, judge
from training.adapted.lesson import Lesson
from training.adapted.review import Review, contradicted
from training.console import Console
from training.data import ImageSet
from training.familiarity import Clusters, clusters_of
from training.progress import recorded
from training.stopping import stop_on_signals
from training.variants import ADAPTED, AdaptRecipe, Variant


def run(
    labels: Path,
    replayed: ImageSet,
    models: Path,
    runs: Path,
    seed: int,
    keep: int,
    variant: Variant = ADAPTED,
    background: bool = False,
    trust: bool = False,
) -> str:
    """Train `variant` on the newest set in `labels` and publish it in `models`; return a sentence on the outcome.

    One that is published already is not trained again. With `trust`, doubts about labels stop nothing. Raise NotBetter,
    and as job.run does; nothing is published then. TensorFlow's threads are the caller's to set.
    """
    recipe = variant.recipe
    assert isinstance(recipe, AdaptRecipe)
    with publish.staging(models) as staged, stop_on_signals() as stop:
        lesson = lessons.read(labels, replayed, models, recipe.base)
        if version := published(models, variant, lesson, seed):
            return f"{variant.name} {version} has learned from {labels / lesson.labels.name} already."
        steps = {variant.name: recipe.steps(len(lesson.train_images))}
        with recorded(models, [variant], steps) as progress:
            review = Review(labels, lesson.labels, trust)
            look(review, models, lesson, recipe.base)
            stop_for(review.reasons())
            with job.event_files(runs, [variant]) as writers, Console(steps, not background) as console:
                [trained] = job.train([population.Member(variant, seed)], lesson, console, writers, progress, stop)
            version = publish.next_version(models, variant.name)
            entry = manifest.export_member(trained, lesson, clusters(lesson), staged, version)
            judgement, taught = judged(staged / variant.name, models, lesson), lesson.labels.images
            print(in_words(judgement))
            learned = predicted(staged / variant.name, taught.train_images)
            review.add(*mistakes.still_contradicted(learned, taught.train_labels))
            stop_for([*judgement.failures, *review.reasons()])
            stop.check()
            for doubt in review.doubts:
                print(f"The labels are trusted, though {doubt}.")
            entry["training"] |= {
                "base": {name: lesson.base[name] for name in ("name", "version")},
                "labels": lesson.labels.facts | {"exists": review.file.parent.is_dir()},
                "gate": judgement.figures | {"doubts": review.doubts},
            }
            new = manifest.new_manifest(lesson, [entry], publish.read_manifest(models))
            publish.publish(models, {variant.name: staged / variant.name}, new, keep)
            progress.move([variant], "published")
    return f"Published {variant.name} {version}."


def look(review: Review, models: Path, lesson: Lesson, base: str) -> None:
    """Add to a review the labels that the published variants contradict, and the doubts that `base` raises."""
    said, given = answers(models, lesson), lesson.labels.all_labels
    doubtful = contradicted(list(said.values()), given)
    if doubtful:
        print(f"{len(doubtful):,} labels contradict a confident majority; {review.file}")
    doubts, listed = mistakes.never_labelled(said[base], given, lesson.classes, base)
    review.add(doubts, doubtful | listed)


def stop_for(reasons: list[str]) -> None:
    """Raise NotBetter where there are reasons not to publish."""
    if reasons:
        raise NotBetter("; ".join(reasons))


def clusters(lesson: Lesson) -> Clusters:
    """Return the clusters of all images that taught, the labelled ones first: the last ones tell the scale."""
    taught = (lesson.labels.images, lesson)
    images = np.concatenate([each.train_images for each in taught])
    labels = np.concatenate([each.train_labels for each in taught])
    return clusters_of(images, labels, len(lesson.classes))


def variants_of(models: Path) -> list[dict[str, Any]]:
    """Return the published variants' entries in the manifest."""
    now = publish.read_manifest(models)
    return now["variants"] if now else []


def published(models: Path, variant: Variant, lesson: Lesson, seed: int) -> int:
    """Return the published version of a variant that learned this lesson so from this seed, 0 where there is none."""
    wanted = lesson.labels.facts["sha256"], lesson.base["version"], seed, variant.recipe.steps(0)
    for entry in variants_of(models):
        training = entry["training"]
        taught, base = training.get("labels", {}).get("sha256"), training.get("base", {}).get("version")
        if entry["name"] == variant.name and wanted == (taught, base, training["seed"], training["steps"]):
            return entry["version"]
    return 0


def answers(models: Path, lesson: Lesson) -> dict[str, np.ndarray]:
    """Return each published variant's probabilities for all labelled images, `[n, classes]`."""
    images = lesson.labels.all_images
    return {
        v["name"]: export.served_probabilities(models / v["name"] / str(v["version"]), images)
        for v in variants_of(models)
    }


def predicted(folder: Path, images: np.ndarray) -> np.ndarray:
    """Return the classes that an exported model sees in images, `[n]`."""
    return np.asarray(export.served_probabilities(folder, images).argmax(axis=1))


def judged(candidate: Path, models: Path, lesson: Lesson) -> Judgement:
    """Judge an exported candidate against the variant that it was trained on from, both as they are served."""
    base = models / lesson.base["name"] / str(lesson.base["version"])
    return judge(right(candidate, lesson), right(base, lesson), lesson.labels.units, lesson.base["name"])


def right(folder: Path, lesson: Lesson) -> Right:
    """Return which images an exported model has right."""
    held_out = lesson.labels.images
    return Right(*(
        predicted(folder, images) == labels
        for images, labels in (
            (held_out.test_images, held_out.test_labels), (lesson.test_images, lesson.test_labels)
        )
    ))  # fmt: skip


def in_words(judgement: Judgement) -> str:
    """Return the figures of a judgement as text."""
    held_out, test = judgement.figures["held_out"], judgement.figures["test"]
    spread = "" if held_out["interval"] is None else " [{:+.4f}, {:+.4f}]".format(*held_out["interval"])
    return (
        f"{held_out['images']:,} labelled images of {held_out['units']:,} other units: {_change(held_out)}{spread}. "
        f"Test images: {_change(test)}."
    )


def _change(figures: dict[str, Any]) -> str:
    return f"{figures['base_accuracy']:.4f} before, {figures['accuracy']:.4f} now, {figures['difference']:+.4f}"
