"""Multiplicative noise on hidden units: mean 1, so that inference needs no correction.

Bernoulli noise is dropout (Srivastava et al. 2014), inverted; uniform and clipped Gaussian noise are the continuous
dropout of Shen, Tian, Liu, Xu & Tao, "Continuous Dropout", TNNLS 2018 (arXiv 1911.12675), scaled to mean 1.
"""

from collections.abc import Callable
from types import MappingProxyType

import tensorflow as tf

from training.variants import GAMMA

BITS = 16  # of randomness a Bernoulli unit: half of what a float takes, and rates to a 65,536th


def bernoulli(rows: tf.Tensor, units: int, rate: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return a float32 mask `[rows, units]` that is 0 with probability `rate` and 1 / (1 − rate) otherwise.

    Its variance is rate / (1 − rate). `seed`, int32 `[2]`, decides the mask entirely.
    """
    pairs = tf.random.stateless_uniform([rows, -(-units // 2)], seed, minval=None, maxval=None, dtype=tf.uint32)
    bits = tf.reshape(tf.bitcast(pairs, tf.uint16), [rows, -1])[:, :units]
    keep = bits >= tf.cast(tf.round(rate * 2**BITS), tf.uint16)
    return tf.where(keep, 1.0 / (1.0 - rate), 0.0)


def uniform(rows: tf.Tensor, units: int, width: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return a float32 mask `[rows, units]` drawn from U(1 − width, 1 + width), of variance width² / 3."""
    return tf.random.stateless_uniform([rows, units], seed) * (2.0 * width) + (1.0 - width)


def gaussian(rows: tf.Tensor, units: int, sigma: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return a float32 mask `[rows, units]` drawn from 2 clip(N(½, sigma), 0, 1).

    Its variance is at most 4 sigma²: 0.156 at 0.2, 0.230 at 0.25, 1/3 at 0.32.
    """
    return 2.0 * tf.clip_by_value(0.5 + sigma * tf.random.stateless_normal([rows, units], seed), 0.0, 1.0)


Mask = Callable[[tf.Tensor, int, tf.Tensor, tf.Tensor], tf.Tensor]
MASKS: MappingProxyType[str, Mask] = MappingProxyType(
    {"bernoulli": bernoulli, "uniform": uniform, "gaussian": gaussian}
)


def strength_at(numbers: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """Return the strength at a step of a Noise's `numbers`, float32 `[3]`."""
    return numbers[0] * (numbers[1] + numbers[2] * tf.exp(-GAMMA * tf.cast(step, tf.float32)))
