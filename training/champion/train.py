"""Train the champion: images distorted anew, AdamW at a falling rate, averaged weights."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

import numpy as np
import tensorflow as tf

from training import network
from training.champion import upright
from training.champion.distort import distort
from training.champion.hands import flag_ones
from training.champion.lines import nearness
from training.data import SIDE, ImageSet
from training.evaluate import accuracy
from training.loop import Settings, State, adam, batch_indices, learning_rate_at
from training.population import Diverged, Member, OnProgress, OnReport, Report, Trained, ignore, pool_of_cores
from training.stopping import Stop
from training.variants import ChampionRecipe

AT_ONCE = 1000  # images distorted by one call


def train(
    members: Sequence[Member],
    data: ImageSet,
    recipe: ChampionRecipe,
    on_report: OnReport,
    stop: Stop,
    on_progress: OnProgress = ignore,
) -> list[Trained]:
    """Train the members one after another, since each keeps every core busy; raise as `train_member` does."""
    return [train_member(member, data, recipe, on_report, stop, on_progress) for member in members]


def train_member(
    member: Member,
    data: ImageSet,
    recipe: ChampionRecipe,
    on_report: OnReport,
    stop: Stop,
    on_progress: OnProgress = ignore,
) -> Trained:
    """Train a member and return its averaged weights.

    Every core distorts images while the network learns from the draw before. Raise Diverged when the loss is NaN or
    infinite, Stopped soon after `stop` is asked.
    """
    count = recipe.learned_from(len(data.train_images))
    written = flag_ones(data.train_images[:count], data.train_labels[:count], recipe.flagged, member.seed)
    labels = tf.constant(data.train_labels[:count], tf.int32)
    model = network.build(SIDE * SIDE, len(data.classes), 0.0, member.seed)
    state = State.of([v.value for v in model.trainable_variables])
    averages = [tf.Variable(w) for w in state.weights]
    learn = compile_learning(recipe, count)
    settings = Settings.of(member.variant, member.seed, recipe, count)
    predict = tf.function(prediction(recipe), autograph=False)
    history: list[Report] = []
    steps, reported = steps_a_draw(recipe, count), report_steps(recipe, len(data.train_images))
    for i, images in enumerate(draws(written, recipe, member.seed, stop)):
        span = tf.constant(i * steps), tf.constant((i + 1) * steps)
        loss = float(learn(state, averages, images, labels, *span, settings))
        if not math.isfinite(loss):
            raise Diverged(f"{member.variant.name}, seed {member.seed}: the loss is not a number any more in draw {i}")
        on_progress(member, (i + 1) * steps)
        if (last := (i + 1) * steps - 1) in reported:
            said = predict(averages, tf.constant(data.test_images)).numpy()
            history.append(Report(last, loss, accuracy(said, data.test_labels)))
            on_report(member, history[-1])
    return Trained(member, [w.numpy() for w in averages], history)


def report_steps(recipe: ChampionRecipe, images: int) -> list[int]:
    """Return the steps after which a member reports, for a training set of this many images."""
    steps = steps_a_draw(recipe, recipe.learned_from(images))
    reported = {*range(recipe.report_every, recipe.draws, recipe.report_every), recipe.draws}
    return [draw * steps - 1 for draw in sorted(reported)]


def steps_a_draw(recipe: ChampionRecipe, images: int) -> int:
    """Return the number of optimiser steps in one draw of this many images."""
    return recipe.steps(images) // recipe.draws


def prediction(recipe: ChampionRecipe) -> Callable[..., tf.Tensor]:
    """Return the function from weights, images and a temperature to class probabilities."""
    return upright.probabilities if recipe.set_upright else network.probabilities


def draws(images: np.ndarray, recipe: ChampionRecipe, seed: int, stop: Stop) -> Iterator[tf.Tensor]:
    """Yield all images, uint8 `[n, 28, 28]`, distorted and set upright anew, `recipe.draws` times.

    The next draw is made while the last one is in use. Raise Stopped soon after `stop` is asked.
    """

    @tf.function(autograph=False)
    def draw(some: tf.Tensor, near: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        drawn = distort(some, near, key) if recipe.distort else some
        return upright.upright(drawn) if recipe.set_upright else drawn

    parts = [images[i : i + AT_ONCE] for i in range(0, len(images), AT_ONCE)]
    chunks: list[tuple[tf.Tensor, tf.Tensor]] = []

    def begin(i: int) -> list[Future[tf.Tensor]]:
        # distort() takes its key and the next one
        keys = (tf.constant([seed, 2 * (i * len(chunks) + k)]) for k in range(len(chunks)))
        return [pool.submit(draw, some, near, key) for (some, near), key in zip(chunks, keys, strict=True)]

    with pool_of_cores("distort") as pool:
        for part, near in zip(parts, pool.map(nearness, parts), strict=True):
            stop.check()
            chunks.append((tf.constant(part), tf.constant(near)))
        coming = begin(0)
        for i in range(recipe.draws):
            ready = [future.result() for future in coming]
            coming = begin(i + 1) if i + 1 < recipe.draws else []
            stop.check()
            yield tf.concat(ready, axis=0)


def compile_learning(recipe: ChampionRecipe, images: int) -> Callable[..., tf.Tensor]:
    """Return a function that advances a State and its averages by some steps and returns the last step's loss.

    Its further arguments: images, uint8 `[images, 28, 28]`, their labels, int32 `[images]`, the first step and the one
    to stop before, and the member's Settings.
    """
    rising, kept = recipe.rising(images), recipe.kept(images)

    @tf.function(autograph=False)
    def learn(
        state: State, averages: Sequence[tf.Variable], x: tf.Tensor, y: tf.Tensor,
        start: tf.Tensor, stop: tf.Tensor, settings: Settings,
    ) -> tf.Tensor:  # fmt: skip
        def body(step: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            chosen = batch_indices(step, settings.seed, recipe.batch, images)
            inputs = network.pixels_to_inputs(tf.gather(x, chosen))
            loss, gradients = network.loss_and_gradients(state.weights, inputs, tf.gather(y, chosen))
            risen = tf.minimum(tf.cast(step + 1, tf.float32) / rising, 1.0)
            adam(state, gradients, step, risen * learning_rate_at(settings.learning_rate, step), settings.weight_decay)
            for average, weight in zip(averages, state.weights, strict=True):
                average.assign_add((1 - kept) * (weight - average))
            return step + 1, loss

        return tf.while_loop(lambda step, _: step < stop, body, (start, tf.constant(0.0)))[1]

    return learn
