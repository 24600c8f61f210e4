"""Score how familiar an image and its answer are: how much like the training images of the class that is answered.

The unfamiliarity is, in natural logarithms,

    log(own / other) + 0.3 log own + 0.15 log(entropy + 1e-4)

`own` is the squared distance from the nearest of the answered class's clusters of training images, `other` that from
the nearest of all other classes. Their ratio is the trust score of Jiang, Kim, Guan & Gupta 2018, "To trust or not to
trust a classifier". `own` alone tells images unlike any class, the entropy of the model's answer tells its doubt.
Each pixel is divided by its deviation and LEAST_DEVIATION first, so that ink where digits have none tells most.
Distances are taken after a projection on principal components, each divided by the root of its deviation, and count the
part of the image outside them. The familiarity is the share of held-out training images that are less familiar.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from training import network

COMPONENTS, CLUSTERS, ROUNDS = 60, 32, 8
HELD_OUT = 12  # every twelfth part of the training images tells the scale
MOST = 20_000  # images tell the components
LENGTH, DOUBT = 0.3, 0.15  # weights
LEAST_DEVIATION = 0.02  # of a pixel 0…1
LEAST = 1e-4  # of an entropy and of a distance, whose logarithms are taken
FAR = 1e3  # the place of a class without images

Answers = Callable[[np.ndarray], np.ndarray]  # images, uint8 `[n, 28, 28]` → probabilities `[n, classes]`


class Clusters(NamedTuple):
    """The training images' clusters.

    They are in the space of `projection`, `[pixels, k]`, of pixels 0…1 less the `mean`, times `weights`, `[pixels]`. A
    class has CLUSTERS `centres`, `[classes, CLUSTERS, k]`. `outside` weighs the squared distance outside that space.
    """

    mean: np.ndarray
    weights: np.ndarray
    components: np.ndarray
    projection: np.ndarray
    centres: np.ndarray
    outside: float


class Familiarity(NamedTuple):
    """The clusters and the unfamiliarity of held-out training images, ascending, float32 `[m]`."""

    clusters: Clusters
    scale: np.ndarray


def clusters_of(images: np.ndarray, labels: np.ndarray, classes: int) -> Clusters:
    """Return the clusters of training images, uint8 `[n, height, width]`, and their labels, but for the last part."""
    learned = _learned(len(images))
    pixels = _pixels(images[:learned])
    mean, weights = pixels.mean(axis=0), 1 / (pixels.std(axis=0) + np.float32(LEAST_DEVIATION))
    pixels -= mean
    pixels *= weights
    some = pixels[:: -(-learned // MOST)]
    variances, vectors = np.linalg.eigh(some.T @ some / len(some))
    components = vectors[:, ::-1][:, :COMPONENTS].astype(np.float32)
    variances = np.maximum(variances[::-1][:COMPONENTS], LEAST).astype(np.float32)
    projection = components / variances**0.25
    places = pixels @ projection
    rng = np.random.default_rng(0)
    centres = np.stack([_centres(places[labels[:learned] == label], rng, COMPONENTS) for label in range(classes)])
    outside = float(np.sqrt(variances).sum() / variances.sum())
    return Clusters(mean, weights, components, projection, centres, outside)


def familiarity_of(clusters: Clusters, images: np.ndarray, answers: Answers) -> Familiarity:
    """Return the familiarity of a model with these answers, its scale from the last part of the training images."""
    held = images[min(_learned(len(images)), len(images) - 1) :]
    scale = unfamiliarity(clusters, tf.constant(held), tf.constant(answers(held))).numpy()
    return Familiarity(clusters, np.sort(scale).astype(np.float32))


def familiarity(familiar: Familiarity, images: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
    """Return the familiarity of images, uint8 `[n, 28, 28]`, so answered, `[n, classes]`: float32 `[n]`, 0 … 1."""
    found = unfamiliarity(familiar.clusters, images, probabilities)
    below = tf.searchsorted(tf.constant(familiar.scale), found)
    return tf.cast(len(familiar.scale) - below, tf.float32) / float(len(familiar.scale))


def unfamiliarity(clusters: Clusters, images: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
    """Return the unfamiliarity of images so answered: float32 `[n]`."""
    classes, _, width = clusters.centres.shape
    pixels = tf.cast(tf.reshape(images, [tf.shape(images)[0], -1]), tf.float32) / 255.0
    pixels = (pixels - clusters.mean) * clusters.weights
    places = pixels @ clusters.projection
    inside = tf.reduce_sum(tf.square(pixels @ clusters.components), axis=1)
    beside = clusters.outside * tf.maximum(tf.reduce_sum(tf.square(pixels), axis=1) - inside, 0.0)
    centres = clusters.centres.reshape(-1, width)
    nearness = 2.0 * places @ centres.T - np.square(centres).sum(axis=1)
    nearest = tf.reduce_max(tf.reshape(nearness, [-1, classes, CLUSTERS]), axis=2)
    away = tf.reduce_sum(tf.square(places), axis=1, keepdims=True) - nearest + beside[:, tf.newaxis]
    away = tf.maximum(away, LEAST)
    answered = tf.one_hot(tf.argmax(probabilities, axis=1), classes)
    own = tf.reduce_sum(away * answered, axis=1)
    other = tf.reduce_min(away + answered * FAR**4, axis=1)
    entropy = network.entropy(probabilities)
    return tf.math.log(own / other) + LENGTH * tf.math.log(own) + DOUBT * tf.math.log(entropy + LEAST)


def _learned(images: int) -> int:
    return images - max(images // HELD_OUT, 1) if images > 1 else images


def _pixels(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float32) / 255


def _centres(places: np.ndarray, rng: np.random.Generator, width: int) -> np.ndarray:
    """Return CLUSTERS centres of `places`, `[n, k]`, by Lloyd's algorithm."""
    if not len(places):
        return np.full((CLUSTERS, width), FAR, np.float32)
    centres = places[rng.choice(len(places), CLUSTERS, replace=len(places) < CLUSTERS)]
    for _ in range(ROUNDS):
        nearest = (2 * places @ centres.T - np.square(centres).sum(axis=1)).argmax(axis=1)
        own = np.eye(CLUSTERS, dtype=np.float32)[nearest]
        counts = own.sum(axis=0)[:, np.newaxis]
        centres = np.where(counts > 0, own.T @ places / np.maximum(counts, 1), centres)
    return centres.astype(np.float32)
