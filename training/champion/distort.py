"""Distort images: turn, scale, shear and bend them, change their strokes or redraw them with another pen."""

import numpy as np
import tensorflow as tf

from training.champion.lines import REACH
from training.champion.upright import X, Y
from training.data import SIDE

TURN = 0.3  # radians
STRETCH = 0.15  # either way along each axis, as the exponent of e
SHEAR = 0.2
KNOTS = 6  # a side of the grid that bends the image
BEND = 1.5  # pixels: deviation of the knots, before the spline smooths them
PENNED = 0.7  # share of images redrawn by a pen that follows the middle lines of strokes
PEN = (0.9, 1.9)  # pixels: half the width of the pen
CHANGED = 0.7  # share of the other images whose strokes are changed
THINNER, THICKER = 0.8, 1.5  # at most: steps to the least, or the largest, of a pixel and its neighbours
PEAK, FAINTEST = 255.0, 32.0  # strokes are darkened to PEAK, unless they are fainter than FAINTEST


def _splines() -> np.ndarray:
    """Return the weight of each knot at each pixel, `[28, KNOTS]`: uniform cubic B-splines, normalised at the ends."""
    knots = (np.arange(SIDE) + 0.5) / SIDE * (KNOTS - 1)
    d = np.abs(knots[:, None] - np.arange(KNOTS))
    weights = np.where(d < 1, 2 / 3 - d**2 + d**3 / 2, np.maximum(2 - d, 0) ** 3 / 6)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


SPLINES = _splines()


def distort(images: tf.Tensor, nearness: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return each image, uint8 `[n, 28, 28]`, distorted in its own way; `seed`, int32 `[2]`, decides it entirely.

    `nearness`, uint8 `[n, 28, 28]`, measures pixels against the lines of strokes (training/champion/lines.py).
    """
    drawn = tf.random.stateless_uniform([7, tf.shape(images)[0], 1], seed, -1.0, 1.0)
    penned = (tf.abs(drawn[6]) < PENNED)[:, :, tf.newaxis]
    x, y = _affine(*tf.unstack(drawn[:4]))
    bend_x, bend_y = tf.unstack(_bends(tf.shape(images)[0], seed + 1))
    moved = _sample(tf.where(penned, nearness, images), x + bend_x, y + bend_y)
    amount = tf.where(tf.abs(drawn[5]) < CHANGED, drawn[4], 0.0)
    width = drawn[4][:, :, tf.newaxis]
    strokes = tf.where(penned, _with_pen(moved, width), _with_strokes(moved, amount[:, :, tf.newaxis]))
    return tf.cast(tf.round(_dark(strokes)), tf.uint8)


def _affine(turn: tf.Tensor, wide: tf.Tensor, high: tf.Tensor, lean: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return each pixel's source, `[n, pixels]` from the middle, for amounts in −1 … 1, `[n, 1]`."""
    cos, sin = tf.cos(turn * TURN), tf.sin(turn * TURN)
    x, y = cos * X - sin * Y, sin * X + cos * Y
    return tf.exp(wide * STRETCH) * (x + lean * SHEAR * y), tf.exp(high * STRETCH) * y


def _bends(n: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return each pixel's displacement, `[2, n, pixels]`: random knots, joined smoothly (Simard et al. 2003)."""
    knots = tf.random.stateless_normal([2 * n, KNOTS, KNOTS], seed, stddev=BEND)
    columns = tf.matmul(tf.reshape(knots, [-1, KNOTS]), SPLINES, transpose_b=True)
    columns = tf.transpose(tf.reshape(columns, [2 * n, KNOTS, SIDE]), [0, 2, 1])
    rows = tf.matmul(tf.reshape(columns, [-1, KNOTS]), SPLINES, transpose_b=True)
    return tf.reshape(rows, [2, n, SIDE * SIDE])


def _sample(images: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Return grey levels `[n, 28, 28]` at places `[n, pixels]` from the middle, bilinear, nothing beyond the border.

    The four neighbours of every place are packed into one integer, so that one look-up finds them all.
    """
    n, last = tf.shape(images)[0], SIDE + 1
    padded = tf.cast(tf.pad(images, [[0, 0], [1, 1], [1, 1]]), tf.uint32)
    pairs = padded[:, :, :-1] + 2**8 * padded[:, :, 1:]
    packed = tf.reshape(pairs[:, :-1] + 2**16 * pairs[:, 1:], [-1])
    x, y = (tf.clip_by_value(place + last / 2, 0.0, last - 1e-5) for place in (x, y))
    left, top = tf.floor(x), tf.floor(y)
    index = tf.cast(top * last + left, tf.int32) + (tf.range(n) * last**2)[:, tf.newaxis]
    found = tf.gather(packed, index)
    a, b, c, d = (
        tf.cast(tf.bitwise.right_shift(found, tf.constant(8 * i, tf.uint32)) & 255, tf.float32) for i in range(4)
    )
    above, below = a + (b - a) * (x - left), c + (d - c) * (x - left)
    return tf.reshape(above + (below - above) * (y - top), [n, SIDE, SIDE])


def _with_pen(nearness: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Return the images drawn along their lines with the thinnest pen (width of −1) to the widest (1), `[n, 1, 1]`."""
    thinnest, widest = PEN
    reach = (thinnest + widest + (widest - thinnest) * width) / 2
    return PEAK * tf.clip_by_value(reach + 0.5 - REACH * (1 - nearness / PEAK), 0.0, 1.0)


def _with_strokes(levels: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    """Return the images with strokes thinner (amount from −1) or thicker (to 1), `[n, 1, 1]`."""
    once = _of_neighbours(tf.maximum, levels)
    steps = tf.maximum(amount, 0.0) * THICKER
    thicker = tf.minimum(steps, 1.0) * (once - levels)
    thicker += tf.maximum(steps - 1.0, 0.0) * (_of_neighbours(tf.maximum, once) - once)
    thinner = tf.maximum(-amount, 0.0) * THINNER * (_of_neighbours(tf.minimum, levels) - levels)
    return levels + thicker + thinner


def _dark(levels: tf.Tensor) -> tf.Tensor:
    """Return the images with strokes as dark as MNIST's."""
    return levels * (PEAK / tf.maximum(tf.reduce_max(levels, axis=[1, 2], keepdims=True), FAINTEST))


def _of_neighbours(choose: tf.Operation, levels: tf.Tensor) -> tf.Tensor:
    """Return the largest, or the least, of each pixel and its eight neighbours."""
    padded = tf.pad(levels, [[0, 0], [1, 1], [1, 1]])
    rows = choose(choose(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    return choose(choose(rows[:, :, :-2], rows[:, :, 1:-1]), rows[:, :, 2:])
