"""Train on from published weights: distorted labelled images, and replayed ones against forgetting."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from training import network
from training.adapted.lesson import Lesson
from training.champion import upright
from training.champion.distort import distort
from training.champion.lines import nearness
from training.data import ImageSet
from training.evaluate import accuracy
from training.loop import Settings, State, adam, batch_indices, learning_rate_at
from training.population import Diverged, Member, OnProgress, OnReport, Report, Trained, ignore, pool_of_cores
from training.stopping import Stop
from training.variants import AdaptRecipe

AT_ONCE = 1000  # images distorted by one call
LABELLED, PLAIN, DISTORTED = range(3)  # the kinds of images in a batch, whose seeds differ


def train(
    members: Sequence[Member],
    data: ImageSet,
    recipe: AdaptRecipe,
    on_report: OnReport,
    stop: Stop,
    on_progress: OnProgress = ignore,
) -> list[Trained]:
    """Train the members one after another on a Lesson; raise as `train_member` does."""
    if not isinstance(data, Lesson):
        raise ValueError(f"variant {members[0].variant.name} learns from labels: run make improve")
    return [train_member(member, data, recipe, on_report, stop, on_progress) for member in members]


def train_member(
    member: Member,
    lesson: Lesson,
    recipe: AdaptRecipe,
    on_report: OnReport,
    stop: Stop,
    on_progress: OnProgress = ignore,
) -> Trained:
    """Train a member and return its averaged weights.

    Raise Diverged when the loss is NaN or infinite, Stopped soon after `stop` is asked.
    """
    state = State.of([tf.Variable(w) for w in lesson.weights])
    averages = [tf.Variable(w) for w in lesson.weights]
    pools = make_pools(lesson, recipe, member.seed, stop)
    learn = compile_learning(recipe, pools)
    settings = Settings.of(member.variant, member.seed, recipe, len(lesson.train_images))
    predict = tf.function(upright.probabilities, autograph=False)
    history: list[Report] = []
    for begin in range(0, recipe.length, recipe.report_every):
        end = min(begin + recipe.report_every, recipe.length)
        loss = float(learn(state, averages, tf.constant(begin), tf.constant(end), settings))
        if not math.isfinite(loss):
            raise Diverged(f"{member.variant.name}, seed {member.seed}: the loss is not a number any more")
        on_progress(member, end)
        said = predict(averages, tf.constant(lesson.test_images)).numpy()
        history.append(Report(end - 1, loss, accuracy(said, lesson.test_labels)))
        on_report(member, history[-1])
        stop.check()
    return Trained(member, [w.numpy() for w in averages], history)


class Pool(tf.Module):
    """Images of one kind, upright, uint8 `[draws · n, 28, 28]`, and what to answer, float `[n, classes]` or so often.

    The i-th epoch of its `n` images takes the i-th draw.
    """

    def __init__(self, kind: int, batch: int, draws: list[np.ndarray], answers: np.ndarray) -> None:
        super().__init__()
        self.kind, self.batch, self.n = kind, batch, len(draws[0])
        self.draws = len(draws)
        self.images, self.answers = tf.constant(np.concatenate(draws)), tf.constant(answers, tf.float32)

    def take(self, step: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return a step's inputs and answers."""
        chosen = batch_indices(step, seed * 3 + self.kind, self.batch, self.n)
        draw = step // -(-self.n // self.batch) % self.draws
        images = tf.gather(self.images, draw * self.n + chosen)
        return network.pixels_to_inputs(images), tf.gather(self.answers, chosen)


def make_pools(lesson: Lesson, recipe: AdaptRecipe, seed: int, stop: Stop) -> list[Pool]:
    """Return the images of all steps, the labelled ones first: every core distorts them.

    Raise Stopped soon after `stop` is asked.
    """
    count = recipe.learned_from(len(lesson.train_images))
    replayed, classes = lesson.train_images[:count], len(lesson.classes)
    taught = lesson.labels.images
    n = len(taught.train_images)
    draws = min(-(-recipe.length // -(-n // recipe.labelled)), -(-recipe.distortions // n))
    plain = round(recipe.replayed * recipe.plain)
    with pool_of_cores("distort") as pool:
        made = Maker(pool, seed, stop)
        labelled = made.distorted(taught.train_images, draws)
        pools = [Pool(LABELLED, recipe.labelled, labelled, one_hot(taught.train_labels, classes))]
        for kind, batch, images in (
            (PLAIN, plain, made.upright(replayed) if plain else []),
            (DISTORTED, recipe.replayed - plain, made.distorted(replayed, 1) if plain < recipe.replayed else []),
        ):
            if batch:
                pools.append(Pool(kind, batch, images, base_answers(lesson.weights, images[0])))
    return pools


class Maker:
    """Sets images upright, and distorts them before, in a pool of threads; a seed decides it entirely."""

    def __init__(self, pool: ThreadPoolExecutor, seed: int, stop: Stop) -> None:
        self._pool, self._seed, self._stop = pool, seed, stop
        self._key = 0
        self._distort = tf.function(
            lambda images, near, key: upright.upright(distort(images, near, key)), autograph=False
        )  # fmt: skip
        self._upright = tf.function(upright.upright, autograph=False)

    def upright(self, images: np.ndarray) -> list[np.ndarray]:
        """Return the images upright, as one draw."""
        return [np.concatenate(list(self._map(lambda part: self._upright(part).numpy(), list(_parts(images)))))]

    def distorted(self, images: np.ndarray, draws: int) -> list[np.ndarray]:
        """Return so many draws of the images, each distorted anew."""
        near = np.concatenate(list(self._map(nearness, list(_parts(images)))))
        several = max(1, AT_ONCE // len(images))  # draws in one call
        repeated = [(np.tile(images, (several, 1, 1)), np.tile(near, (several, 1, 1)))] if several > 1 else []
        parts = repeated or list(zip(_parts(images), _parts(near), strict=True))
        calls = [part for _ in range(-(-draws // several)) for part in parts]
        keys = [[self._seed, self._key + 2 * i] for i in range(len(calls))]  # distort() takes the next one, too
        self._key += 2 * len(calls)
        jobs = list(zip(calls, keys, strict=True))
        done = np.concatenate(list(self._map(lambda job: self._distort(*job[0], tf.constant(job[1])).numpy(), jobs)))
        return [done[i * len(images) : (i + 1) * len(images)] for i in range(draws)]

    def _map(self, call: Callable, jobs: list) -> Iterator[np.ndarray]:
        for each in self._pool.map(call, jobs):
            self._stop.check()
            yield each


def base_answers(weights: Sequence[np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return the probabilities, `[n, classes]`, that weights give upright images."""
    constants = [tf.constant(w) for w in weights]
    return np.concatenate([network.probabilities(constants, tf.constant(part)).numpy() for part in _parts(images)])


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return labels as rows of probabilities."""
    return np.eye(classes, dtype=np.float32)[labels]


def compile_learning(recipe: AdaptRecipe, pools: Sequence[Pool]) -> Callable[..., tf.Tensor]:
    """Return a function that advances a State and its averages by some steps and returns the last step's loss.

    Its further arguments: the first step, the one to stop before, and the member's Settings.
    """

    @tf.function(autograph=False)
    def learn(
        state: State, averages: Sequence[tf.Variable], start: tf.Tensor, stop: tf.Tensor, settings: Settings
    ) -> tf.Tensor:
        def body(step: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            taken = [pool.take(step, settings.seed) for pool in pools]
            inputs, answers = (tf.concat(column, axis=0) for column in zip(*taken, strict=True))
            with tf.GradientTape() as tape:
                logits = network.logits(state.weights, inputs)
                entropies = tf.nn.softmax_cross_entropy_with_logits(answers, logits)
                labelled, replayed = tf.split(entropies, [tf.shape(taken[LABELLED][1])[0], -1])
                loss = tf.reduce_mean(tf.concat([robust(labelled, recipe.robustness), replayed], axis=0))
            gradients = tape.gradient(loss, state.weights)
            adam(state, gradients, step, learning_rate_at(settings.learning_rate, step), settings.weight_decay)
            for average, weight in zip(averages, state.weights, strict=True):
                average.assign_add((1 - recipe.average) * (weight - average))
            return step + 1, loss

        return tf.while_loop(lambda step, _: step < stop, body, (start, tf.constant(0.0)))[1]

    return learn


def robust(entropies: tf.Tensor, q: float) -> tf.Tensor:
    """Return (1 − p^q) / q for cross entropies −log p (Zhang & Sabuncu 2018, equation 6)."""
    return -tf.math.expm1(-q * entropies) / q


def _parts(images: np.ndarray) -> Iterator[np.ndarray]:
    for at in range(0, len(images), AT_ONCE):
        yield images[at : at + AT_ONCE]
