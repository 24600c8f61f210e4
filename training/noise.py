"""Multiplicative noise on hidden units: mean 1, so that inference needs no correction."""

import tensorflow as tf


def bernoulli(shape: tf.Tensor, rate: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return a float32 mask that is 0 with probability `rate` and 1 / (1 − rate) otherwise (inverted dropout).

    `seed`, int32 `[2]`, decides the mask entirely.
    """
    keep = tf.random.stateless_uniform(shape, seed) >= rate
    return tf.where(keep, 1.0 / (1.0 - rate), 0.0)
