"""Train the regularisers' suite: arms of the dense network, by the compiled population."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from training import evaluate, network
from training.data import ImageSet
from training.population import Member, Trainer, report_steps
from training.stopping import Stop
from training.study import result
from training.study.analysis.comparisons import REGULARISERS
from training.study.result import Curve, Result
from training.study.run import Job, Suite
from training.study.suites.arms import Arm
from training.variants import GAMMA, Recipe

NAME = "regularisers"
WATCHED = 10_000  # first training images, which the curves' training figures use
EARLY = range(0, 1000, 100)  # further steps with a report, to see which arms are quick
AT_ONCE = 10_000  # training images, in a last forward pass


def suite(data: ImageSet, recipe: Recipe, arms: Sequence[Arm]) -> Suite:
    """Return the suite of these arms, its jobs seed by seed, so that a study cut short has all arms alike."""
    steps = curve_steps(recipe, len(data.train_images))
    variants = {arm.variant.name: arm.variant for arm in arms}
    about = {
        "recipe": dataclasses.asdict(recipe), "steps": recipe.steps(len(data.train_images)), "data": data.name,
        "sha256": data.sha256, "train": len(data.train_images), "test": len(data.test_images),
    }  # fmt: skip
    digests = {}
    for name, variant in variants.items():
        decides = dataclasses.asdict(dataclasses.replace(variant, title="", published_accuracy=None))
        del decides["recipe"]  # the suite's own, below, trains every arm
        digests[name] = result.fingerprint(
            variant=decides,
            recipe=about["recipe"],
            data=about["sha256"],
            steps=steps,
            watched=WATCHED,
            network=[network.HIDDEN, network.NOISE_AFTER],
            gamma=GAMMA,
        )
    jobs = [
        Job(arm.variant.name, seed, digests[arm.variant.name])
        for seed in range(1, max(arm.seeds for arm in arms) + 1)
        for arm in arms
        if seed <= arm.seeds
    ]

    def trainer(missing: Sequence[Job]) -> Callable[[Job, Stop], Result]:
        shared = Trainer(data, recipe, [variants[job.arm] for job in missing])
        return lambda job, stop: train(shared, Member(variants[job.arm], job.seed), data, steps, stop)

    return Suite(
        NAME, {name: v.title for name, v in variants.items()}, jobs, REGULARISERS, data.test_labels, about, trainer
    )


def curve_steps(recipe: Recipe, images: int) -> list[int]:
    """Return the steps after which a member is measured: the recipe's, and some early ones."""
    steps = report_steps(recipe, images)
    return sorted({*steps, *(step for step in EARLY if step < steps[-1])})


def train(trainer: Trainer, member: Member, data: ImageSet, steps: Sequence[int], stop: Stop) -> Result:
    """Train a member and measure it during training and at its end."""
    watched, rows = trainer.images[:WATCHED], []
    for stage in trainer.stages(member, steps, stop):
        of_train = trainer.predict(stage.weights, watched)
        rows.append(
            (stage.step, *_figures(stage.probabilities, data.test_labels),
             *_figures(of_train, data.train_labels[:WATCHED]))
        )  # fmt: skip
    chunks = tf.split(trainer.images, _sizes(len(data.train_images)))
    of_train = np.concatenate([trainer.predict(stage.weights, chunk) for chunk in chunks])
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    test, training = (stage.probabilities, data.test_labels), (of_train, data.train_labels)
    return result.measure(member.variant.name, member.seed, test, training, Curve(*columns))


def _figures(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    return evaluate.accuracy(probabilities, labels), evaluate.cross_entropy(probabilities, labels)


def _sizes(images: int) -> list[int]:
    whole, rest = divmod(images, AT_ONCE)
    return [AT_ONCE] * whole + [rest] * (rest > 0)
