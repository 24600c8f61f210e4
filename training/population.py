"""Train many members at once, each by its own compiled loop on its own core."""

import contextlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import tensorflow as tf

from training import network
from training.data import ImageSet
from training.evaluate import accuracy
from training.loop import Kind, Settings, State, compile_loop
from training.stopping import Stop
from training.variants import Recipe, Variant

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Member:
    """A variant to be trained from one seed, which decides its first weights, its batches and its masks."""

    variant: Variant
    seed: int


@dataclass(frozen=True)
class Report:
    """A member's loss on the batch of optimiser step `step`, penalty included, and its test accuracy after it."""

    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Trained:
    """A member after its last step: weights, kernels and biases in turn, and its reports."""

    member: Member
    weights: list[np.ndarray]
    history: list[Report]


class Diverged(RuntimeError):
    """A member's loss is no longer a number."""


OnReport = Callable[[Member, Report], None]
OnProgress = Callable[[Member, int], None]  # a member and the number of its steps that are done


def ignore(*_: object) -> None:
    """Do nothing with a member's progress."""


def use_one_core_per_member() -> None:
    """Set TensorFlow's thread pools; call it before TensorFlow is first used.

    A matmul of 128 rows is too small to share between cores, so each member's operations stay on one core and the
    pool that runs operations is as wide as the machine.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(cores())


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def report_steps(recipe: Recipe, images: int) -> list[int]:
    """Return the steps after which a member reports: every `report_every`-th from 0, and the last."""
    last = recipe.steps(images) - 1
    return sorted({*range(0, last, recipe.report_every), last})


class Stage(NamedTuple):
    """A member after step `step`: its loss, its test images' probabilities `[n, classes]`, its weights as they are."""

    step: int
    loss: float
    probabilities: np.ndarray
    weights: list[tf.Variable]


class Trainer:
    """Hold what members of one image set and recipe share: images in tensors, one compiled loop a kind."""

    def __init__(self, data: ImageSet, recipe: Recipe, variants: Iterable[Variant]) -> None:
        self.images, self.labels = tf.constant(data.train_images), tf.constant(data.train_labels, tf.int32)
        self._data, self._recipe = data, recipe
        self._test_images = tf.constant(data.test_images)
        kinds = {Kind.of(variant) for variant in variants}
        self._loops = {kind: compile_loop(kind, recipe.batch, len(data.train_images)) for kind in kinds}
        self._predict = tf.function(network.probabilities, autograph=False)

    def stages(self, member: Member, steps: Sequence[int], stop: Stop) -> Iterator[Stage]:
        """Train a member, and yield after each of `steps`, which ascend.

        Raise Diverged when a loss is NaN or infinite, Stopped soon after `stop` is asked.
        """
        variant, images = member.variant, self._data.train_images
        model = network.build(math.prod(images.shape[1:]), len(self._data.classes), variant.dropout, member.seed)
        state = State.of([v.value for v in model.trainable_variables])
        settings = Settings.of(variant, member.seed, self._recipe, len(images))
        start = 0
        for last in steps:
            stop.check()
            span = tf.constant(start), tf.constant(last + 1)
            loss = float(self._loops[Kind.of(variant)](state, self.images, self.labels, *span, settings))
            probabilities = self.predict(state.weights, self._test_images)
            if not (math.isfinite(loss) and np.isfinite(probabilities).all()):
                raise Diverged(
                    f"{variant.name}, seed {member.seed}: the loss is not a number any more after step {last}"
                )
            yield Stage(last, loss, probabilities, state.weights)
            start = last + 1

    def predict(self, weights: list[tf.Variable], images: tf.Tensor) -> np.ndarray:
        """Return the class probabilities `[n, classes]` of uint8 images `[n, …]`, dropout off."""
        return self._predict(weights, images).numpy()


def train(
    members: Sequence[Member],
    data: ImageSet,
    recipe: Recipe,
    on_report: OnReport,
    stop: Stop,
    on_progress: OnProgress = ignore,
) -> list[Trained]:
    """Train the members and return them in their order.

    The members' threads call `on_report` and `on_progress`. Raise Diverged or Stopped as Trainer does. A member's
    result does not depend on the members beside it.
    """
    trainer = Trainer(data, recipe, [m.variant for m in members])
    steps = report_steps(recipe, len(data.train_images))

    def run(member: Member) -> Trained:
        history: list[Report] = []
        for stage in trainer.stages(member, steps, stop):
            history.append(Report(stage.step, stage.loss, accuracy(stage.probabilities, data.test_labels)))
            on_report(member, history[-1])
            on_progress(member, stage.step + 1)
        return Trained(member, [w.numpy() for w in stage.weights], history)

    return on_every_core(run, members, stop)


@contextlib.contextmanager
def pool_of_cores(name: str) -> Iterator[ThreadPoolExecutor]:
    """Give a pool with a thread a core; however it is left, calls that have not begun are cancelled."""
    with ThreadPoolExecutor(cores(), thread_name_prefix=name) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def on_every_core(run: Callable[[Job], Result], jobs: Sequence[Job], stop: Stop) -> list[Result]:
    """Run the jobs, one a core, and return their results in order; the first to fail asks `stop` for the others."""
    with ThreadPoolExecutor(cores(), thread_name_prefix="member") as pool:
        futures = [pool.submit(run, job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:  # KeyboardInterrupt too: the threads must end before the process can
            stop.ask()
            raise
        return [future.result() for future in futures]
