"""Many members trained at once, each by its own compiled loop on its own core."""

import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from training import network
from training.data import ImageSet
from training.evaluate import accuracy
from training.loop import Kind, Settings, State, compile_loop
from training.variants import Recipe, Variant


@dataclass(frozen=True)
class Member:
    """A variant to be trained from one seed, which decides its first weights, its batches and its masks."""

    variant: Variant
    seed: int


@dataclass(frozen=True)
class Report:
    """How a member stands after optimiser step `step`: that batch's loss, penalty included, and its test accuracy."""

    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Trained:
    """A member after its last step: its weights, kernels and biases in turn, and its reports."""

    member: Member
    weights: list[np.ndarray]
    history: list[Report]


class Diverged(RuntimeError):
    """A member's loss is no longer a number."""


class Stopped(RuntimeError):
    """Training was asked to stop before its last step."""


def use_one_core_per_member() -> None:
    """Set TensorFlow's thread pools; call it before TensorFlow is first used.

    A matmul of 128 rows is too small to share between cores, so each member's operations stay on one core and the
    pool that runs operations is as wide as the machine.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(cores())


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def report_steps(recipe: Recipe, images: int) -> list[int]:
    """Return the steps after which a member reports: every `report_every`-th from 0, and the last."""
    last = recipe.steps(images) - 1
    return sorted({*range(0, last, recipe.report_every), last})


def train(
    members: Sequence[Member],
    data: ImageSet,
    recipe: Recipe,
    on_report: Callable[[Member, Report], None],
    stop: threading.Event,
) -> list[Trained]:
    """Train the members and return them in their order.

    `on_report` is called from the members' threads. Raise Diverged when a loss is NaN or infinite, Stopped soon after
    `stop` is set. What becomes of a member does not depend on which others are trained beside it.
    """
    images = tf.constant(data.train_images)
    labels = tf.constant(data.train_labels, tf.int32)
    test_images = tf.constant(data.test_images)
    loops = {kind: compile_loop(kind, recipe.batch, len(images)) for kind in {Kind.of(m.variant) for m in members}}
    predict = tf.function(network.probabilities, autograph=False)

    def run(member: Member) -> Trained:
        variant = member.variant
        model = network.build(images[0].shape.num_elements(), len(data.classes), variant.dropout, member.seed)
        state = State.of([v.value for v in model.trainable_variables])
        settings = Settings.of(variant, member.seed, recipe, len(images))
        history: list[Report] = []
        start = 0
        for last in report_steps(recipe, len(images)):
            if stop.is_set():
                raise Stopped
            steps = tf.constant(start), tf.constant(last + 1)
            loss = float(loops[Kind.of(variant)](state, images, labels, *steps, settings))
            probabilities = predict(state.weights, test_images).numpy()
            if not (math.isfinite(loss) and np.isfinite(probabilities).all()):
                raise Diverged(
                    f"{variant.name}, seed {member.seed}: the loss is not a number any more after step {last}"
                )
            history.append(Report(last, loss, accuracy(probabilities, data.test_labels)))
            on_report(member, history[-1])
            start = last + 1
        return Trained(member, [w.numpy() for w in state.weights], history)

    return _on_every_core(run, members, stop)


def _on_every_core(run: Callable[[Member], Trained], members: Sequence[Member], stop: threading.Event) -> list[Trained]:
    """Run the members, one a core, and return them in their order; the first to fail stops the others."""
    with ThreadPoolExecutor(cores(), thread_name_prefix="member") as pool:
        futures = [pool.submit(run, member) for member in members]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:  # KeyboardInterrupt too: the threads must end before the process can
            stop.set()
            raise
        return [future.result() for future in futures]
