"""Export trained members and describe them in the manifest."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from training import evaluate, export, population
from training.data import SIDE, ImageSet
from training.familiarity import Clusters, familiarity_of
from training.progress import now
from training.trainers import trainer_of
from training.variants import DEFAULT, VARIANTS, AdaptRecipe, ChampionRecipe, Noise, Recipe


def export_member(
    trained: population.Trained, data: ImageSet, clusters: Clusters, staged: Path, version: int
) -> dict[str, Any]:
    """Export a trained member below `staged`, check it, and return its entry in the manifest.

    `clusters` are those of the training images.
    """
    variant, recipe = trained.member.variant, trained.member.variant.recipe
    folder = staged / variant.name
    images = recipe.learned_from(len(data.train_images))
    steps = recipe.steps(images)
    predict, temperature = prediction_of(trained, data, recipe)
    noise = variant.noise
    at_end = noise and Noise(noise.kind, noise.strength_at(steps))
    constants = [tf.constant(w) for w in trained.weights]
    familiar = familiarity_of(clusters, data.train_images, lambda some: predict(constants, tf.constant(some)).numpy())
    signatures = export.export(trained.weights, predict, at_end, variant.name, data.test_images[:64], folder, familiar)
    probabilities = export.check(folder, trained.weights, predict, data.test_images)
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
            "images": images,
            "steps": steps,
            "batch": recipe.batch,
            "optimizer": "adamw" if variant.weight_decay else "adam",
            "learning_rate": recipe.learning_rate,
            "learning_rate_schedule": variant.learning_rate_schedule,
            "temperature": temperature,
        },
        "test": {
            "accuracy": evaluate.accuracy(probabilities, data.test_labels),
            "loss": evaluate.cross_entropy(probabilities, data.test_labels),
            "ece": evaluate.calibration_error(probabilities, data.test_labels),
        },
        "history": [{"step": r.step, "loss": r.loss, "accuracy": r.accuracy} for r in trained.history],
        "signatures": signatures,
    }


def prediction_of(
    trained: population.Trained, data: ImageSet, recipe: Recipe | ChampionRecipe | AdaptRecipe
) -> tuple[export.Predict, float]:
    """Return the function from the member's weights and images to probabilities, and its temperature.

    The temperature divides the logits. It fits the images that the recipe holds out (Guo, Pleiss, Sun & Weinberger
    2017), and is 1 where it holds out none.
    """
    predict, learned = trainer_of(recipe).prediction(recipe), recipe.learned_from(len(data.train_images))
    if learned == len(data.train_images):
        return predict, 1.0
    weights = [tf.constant(w) for w in trained.weights]
    said = predict(weights, tf.constant(data.train_images[learned:])).numpy()
    temperature = evaluate.best_temperature(said, data.train_labels[learned:])
    return functools.partial(predict, temperature=temperature), temperature


def new_manifest(data: ImageSet, entries: Sequence[dict[str, Any]], old: dict[str, Any] | None) -> dict[str, Any]:
    """Return a manifest of these entries, and of `old`'s other variants where they learned from the same images."""
    kept = old["variants"] if old and old["data"]["sha256"] == data.sha256 else []
    by_name = {entry["name"]: entry for entry in (*kept, *entries)}
    order = [v.name for v in VARIANTS if v.name in by_name]
    names = order + [name for name in by_name if name not in order]
    return {
        "schema": 1,
        "created": now(),
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
