"""Draw multiplicative noise on hidden units: its mean is 1, so that inference needs no correction.

Bernoulli noise is dropout (Srivastava et al. 2014), inverted; uniform and clipped Gaussian noise are the continuous
dropout of Shen, Tian, Liu, Xu & Tao, "Continuous Dropout", TNNLS 2018 (arXiv 1911.12675), scaled to mean 1.
"""

import math
from collections.abc import Callable
from types import MappingProxyType

import tensorflow as tf

from training.variants import GAMMA

BITS = 16  # of randomness a unit: half of a float's


def bernoulli(rows: tf.Tensor, units: int, rate: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return a float32 mask `[rows, units]` that is 0 with probability `rate` and 1 / (1 − rate) otherwise.

    Its variance is rate / (1 − rate). `seed`, int32 `[2]`, decides the mask entirely.
    """
    return tf.cast(_uniforms(rows, units, seed) > rate, tf.float32) * (1.0 / (1.0 - rate))


def uniform(rows: tf.Tensor, units: int, width: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return a float32 mask `[rows, units]` drawn from U(1 − width, 1 + width), of variance width² / 3."""
    return _uniforms(rows, units, seed) * (2.0 * width) + (1.0 - width)


def gaussian(rows: tf.Tensor, units: int, sigma: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return a float32 mask `[rows, units]` drawn from 2 clip(N(½, sigma), 0, 1).

    Its variance is at most 4 sigma²; 1/3 at sigma 0.32. The normal numbers are Box & Muller's (1958) of 16 bits each;
    TensorFlow's own would take most of a step's time.
    """
    half = -(-units // 2)
    u, v = tf.split(_uniforms(rows, 2 * half, seed), 2, axis=1)
    radius, angle = tf.sqrt(-2.0 * tf.math.log(u)), 2.0 * math.pi * v
    normal = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=1)[:, :units]
    return tf.clip_by_value(1.0 + (2.0 * sigma) * normal, 0.0, 2.0)


def _uniforms(rows: tf.Tensor, units: int, seed: tf.Tensor) -> tf.Tensor:
    """Return float32 `[rows, units]` drawn from the middles of 65,536 equal parts of 0…1."""
    pairs = tf.random.stateless_uniform([rows, -(-units // 2)], seed, minval=None, maxval=None, dtype=tf.uint32)
    bits = tf.reshape(tf.bitcast(pairs, tf.uint16), [rows, -1])[:, :units]
    return (tf.cast(bits, tf.float32) + 0.5) * 2.0**-BITS


Mask = Callable[[tf.Tensor, int, tf.Tensor, tf.Tensor], tf.Tensor]
MASKS: MappingProxyType[str, Mask] = MappingProxyType(
    {"bernoulli": bernoulli, "uniform": uniform, "gaussian": gaussian}
)


def strength_at(numbers: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """Return the strength at a step of a Noise's `numbers`, float32 `[3]`."""
    return numbers[0] * (numbers[1] + numbers[2] * tf.exp(-GAMMA * tf.cast(step, tf.float32)))
