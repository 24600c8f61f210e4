"""Digits set upright and centred, by their moments, before the network sees them: in training and in serving."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from training import network
from training.data import SIDE

STEEPEST = 1.0  # pixels sideways a row down that are still set upright: 45°
AXIS = (np.arange(SIDE) - (SIDE - 1) / 2).astype(np.float32)  # a row's or a column's distance from the middle
Y, X = (grid.reshape(-1) for grid in np.meshgrid(AXIS, AXIS, indexing="ij"))
MOMENTS = np.stack([np.ones_like(X), X, Y, Y * Y, X * Y], axis=1)


def upright(images: tf.Tensor) -> tf.Tensor:
    """Shear each image, uint8 `[n, 28, 28]`, until its ink leans neither way, and move its ink's centre to the middle.

    Lean is the regression of column on row, cov(x, y) / var(y), as in LeCun, Bottou, Bengio & Haffner 1998, "deslanted"
    (§ III-A). It spares the network from learning one thing at every slant. Return uint8 `[n, 28, 28]`.
    """
    ink = tf.cast(images, tf.float32)
    mass, x, y, yy, xy = tf.unstack(tf.matmul(tf.reshape(ink, [-1, SIDE * SIDE]), MOMENTS), axis=1)
    mass = tf.maximum(mass, 1.0)  # a blank image stays as it is
    x, y = x / mass, y / mass
    lean = tf.clip_by_value((xy / mass - x * y) / (yy / mass - y * y + 1.0), -STEEPEST, STEEPEST)
    one, zero = tf.ones_like(x), tf.zeros_like(x)
    # Where each pixel of the result comes from: column + lean · (row − middle) + x, row + y.
    transforms = tf.stack([one, lean, x - lean * (SIDE - 1) / 2, zero, one, y, zero, zero], axis=1)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=ink[..., tf.newaxis], transforms=transforms, output_shape=[SIDE, SIDE], fill_value=0.0,
        interpolation="BILINEAR", fill_mode="CONSTANT",
    )  # fmt: skip
    return tf.cast(tf.round(moved[..., 0]), tf.uint8)


def probabilities(weights: Sequence[tf.Variable], images: tf.Tensor, temperature: float = 1.0) -> tf.Tensor:
    """Return the champion's class probabilities `[n, classes]` of uint8 images `[n, 28, 28]` as they were framed."""
    return network.probabilities(list(weights), upright(images), temperature)
