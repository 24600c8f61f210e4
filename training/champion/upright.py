"""Set digits upright, centred and at one size by their moments, in training and in serving alike."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from training import network
from training.data import SIDE

STEEPEST = 1.0  # pixels sideways a row down that are still set upright: 45°
SPREAD = 6.4  # pixels: deviation of a digit's ink from its centre, in both directions together
ASPECT = 0.6  # the deviation across, over that down, half-way to which a digit is brought
AXIS = (np.arange(SIDE) - (SIDE - 1) / 2).astype(np.float32)  # a row's or a column's distance from the middle
Y, X = (grid.reshape(-1) for grid in np.meshgrid(AXIS, AXIS, indexing="ij"))
MOMENTS = np.stack([np.ones_like(X), X, Y, X * X, Y * Y, X * Y], axis=1).astype(np.float64)


def upright(images: tf.Tensor) -> tf.Tensor:
    """Shear, move and scale each image, uint8 `[n, 28, 28]`, by its ink; return uint8 `[n, 28, 28]`.

    Shearing removes the lean, the regression of column on row, cov(x, y) / var(y) (LeCun, Bottou, Bengio & Haffner
    1998, "deslanted", § III-A). The centre moves to the middle. Scaling brings the spread, √(var(x) + var(y)), to
    SPREAD, and the aspect, √(var(x) / var(y)), to its geometric mean with ASPECT (nearly the "aspect ratio adaptive
    normalization" of Liu, Nakashima, Sako & Fujisawa 2004). So the network learns a shape at one slant and size only.
    """
    # In float64 the sums are exact in any order, so the float32 that follow are the same in every graph. One bit more
    # or less would round a grey level the other way.
    ink = tf.reshape(tf.cast(images, tf.float64), [-1, SIDE * SIDE])
    mass, x, y, xx, yy, xy = tf.unstack(tf.matmul(ink, MOMENTS), axis=1)
    mass = tf.maximum(mass, 1.0)  # a blank image stays as it is
    x, y = x / mass, y / mass
    var_x, var_y, cov = xx / mass - x * x, yy / mass - y * y, xy / mass - x * y
    lean = tf.clip_by_value(cov / (var_y + 1.0), -STEEPEST, STEEPEST)
    # Of the sheared ink; a line thinner than two pixels counts as that wide.
    var_x, var_y = tf.maximum(var_x - 2 * lean * cov + lean**2 * var_y, 1.0), tf.maximum(var_y, 1.0)
    size, narrower = tf.sqrt(var_x + var_y) / SPREAD, (tf.sqrt(var_x / var_y) / ASPECT) ** 0.25
    across, down = size * narrower, size / narrower
    zero, middle = tf.zeros_like(x), (SIDE - 1) / 2
    # Where each pixel of the result comes from: across · column from the middle + lean · down · row from it + x, ...
    right, below = x + middle * (1 - across - lean * down), y + middle * (1 - down)
    transforms = tf.stack([across, lean * down, right, zero, down, below, zero, zero], axis=1)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32)[..., tf.newaxis], transforms=tf.cast(transforms, tf.float32),
        output_shape=[SIDE, SIDE], fill_value=0.0, interpolation="BILINEAR", fill_mode="CONSTANT",
    )  # fmt: skip
    return tf.cast(tf.round(moved[..., 0]), tf.uint8)


def probabilities(weights: Sequence[tf.Variable], images: tf.Tensor, temperature: float = 1.0) -> tf.Tensor:
    """Return class probabilities `[n, classes]` of uint8 images `[n, 28, 28]`, which are set upright first."""
    return network.probabilities(list(weights), upright(images), temperature)
