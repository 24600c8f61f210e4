"""Train and measure one model of the convolutional suite: Keras' layers and optimiser in a compiled loop."""

import math
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from training import evaluate
from training.data import ImageSet
from training.loop import batch_indices
from training.population import Diverged
from training.stopping import Stop
from training.study import result
from training.study.result import Curve, Result
from training.study.suites import convolution
from training.study.suites.convolution import Cell

LEARNING_RATE = 1e-3  # Adam's
SPAN = 100  # steps at a time; between them a model may be stopped
AT_ONCE = 1_000  # images in a forward pass
WATCHED = 10_000  # training images, at most, of which the training figures are


class Amount(NamedTuple):
    """Length of a training: images a step, and passes through the training images."""

    batch: int
    epochs: int


SMALL, ALL = Amount(batch=32, epochs=10), Amount(batch=64, epochs=2)


def steps(images: int, amount: Amount) -> int:
    """Return the number of optimiser steps."""
    return amount.epochs * -(-images // amount.batch)


def train(cell: Cell, seed: int, data: ImageSet, amount: Amount, stop: Stop) -> Result:
    """Train a model of a cell from `seed`, which also draws the small training set, and measure it half-way and last.

    Raise Diverged when a loss is NaN or infinite, Stopped soon after `stop` is asked.
    """
    chosen = training_images(cell, seed, len(data.train_images))
    images, labels = data.train_images[chosen], data.train_labels[chosen]
    model = convolution.build(cell, len(data.classes), seed)
    advance, predict = compile_training(model, images, labels, seed, amount.batch, f"{cell.name}_{seed}")
    last = steps(len(images), amount)
    rows, start = [], 0
    for until in (last // 2, last):
        while start < until:
            stop.check()
            end = min(start + SPAN, until)
            loss = float(advance(tf.constant(start), tf.constant(end)))
            start = end
        if not math.isfinite(loss):
            raise Diverged(f"{cell.name}, seed {seed}: the loss is not a number any more after step {until - 1}")
        test = predict(data.test_images), data.test_labels
        training = predict(images[:WATCHED]), labels[:WATCHED]
        of_both = [f(*of) for of in (test, training) for f in (evaluate.accuracy, evaluate.cross_entropy)]
        rows.append((until - 1, *of_both))
    curve = Curve(*(np.array(column) for column in zip(*rows, strict=True)))
    return result.measure(cell.name, seed, test, training, curve)


def training_images(cell: Cell, seed: int, images: int) -> np.ndarray:
    """Return the indices of a model's training images: all, or as many as a small set has, drawn by the seed."""
    if not cell.small:
        return np.arange(images)
    return np.sort(np.random.default_rng(seed).permutation(images)[: convolution.SMALL])


def compile_training(
    model: keras.Sequential, images: np.ndarray, labels: np.ndarray, seed: int, batch: int, scope: str
) -> tuple[Callable[[tf.Tensor, tf.Tensor], tf.Tensor], Callable[[np.ndarray], np.ndarray]]:
    """Return a function that trains the model by some steps, giving the last loss, and one that gives probabilities.

    `scope` must be the model's own in this process. Grappler names temporary variables after the nodes of a graph; two
    models trained at a time would share them if their nodes had the same names.
    """
    x, y = tf.constant(images), tf.constant(labels, tf.int32)
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build(model.trainable_variables)
    weights = [v.value for v in model.trainable_variables]

    @tf.function(autograph=False)
    def advance(start: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
        def body(step: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            chosen = batch_indices(step, tf.constant(seed), batch, len(images))
            with tf.GradientTape() as tape:
                logits = model(inputs(tf.gather(x, chosen)), training=True)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(y, chosen), logits))
            optimizer.apply(tape.gradient(loss, weights))
            return step + 1, loss

        with tf.name_scope(scope):
            return tf.while_loop(lambda step, _: step < stop, body, (start, tf.constant(0.0)))[1]

    @tf.function(autograph=False, reduce_retracing=True)
    def probabilities(some: tf.Tensor) -> tf.Tensor:
        with tf.name_scope(scope):
            return tf.nn.softmax(model(inputs(some), training=False))

    def predict(some: np.ndarray) -> np.ndarray:
        chunks = (tf.constant(some[i : i + AT_ONCE]) for i in range(0, len(some), AT_ONCE))
        return np.concatenate([probabilities(chunk).numpy() for chunk in chunks])

    return advance, predict


def inputs(images: tf.Tensor) -> tf.Tensor:
    """Return uint8 images `[n, 28, 28]` as the network's inputs, float32 `[n, 28, 28, 1]` in 0…1."""
    return tf.cast(images, tf.float32)[..., tf.newaxis] / 255.0
