"""Score predicted probabilities on a labelled set."""

from typing import NamedTuple

import numpy as np


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of rows of `[n, classes]` whose largest probability is the label's."""
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean negative log-likelihood of the labels in nats; probability 0 counts as the least float32."""
    likelihoods = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(likelihoods, np.finfo(np.float32).tiny)).mean())


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean squared distance of the probabilities `[n, classes]` from the labels' one-hot rows: 0 to 2."""
    distances = probabilities.astype(np.float64)
    distances[np.arange(len(labels)), labels] -= 1.0
    return float(np.square(distances).sum(axis=1).mean())


class Reliability(NamedTuple):
    """Equal bins of confidence: the number of predictions in each, their mean confidence and their accuracy.

    The latter two are NaN where there are none.
    """

    counts: np.ndarray
    confidences: np.ndarray
    accuracies: np.ndarray


def reliability(confidences: np.ndarray, right: np.ndarray, bins: int = 15) -> Reliability:
    """Return the reliability diagram of predictions: confidences, float `[n]`, and which are right, bool `[n]`."""
    bin_of = np.minimum((confidences * bins).astype(int), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    sums = [np.bincount(bin_of, values.astype(np.float64), minlength=bins) for values in (confidences, right)]
    per_prediction = np.where(counts > 0, 1.0, np.nan) / np.maximum(counts, 1)
    return Reliability(counts, sums[0] * per_prediction, sums[1] * per_prediction)


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Return the expected calibration error: mean |accuracy − confidence| over equal bins of confidence.

    Guo, Pleiss, Sun & Weinberger 2017, "On Calibration of Modern Neural Networks", eq. 3, with their 15 bins.
    """
    diagram = reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels, bins)
    gaps = np.abs(diagram.accuracies - diagram.confidences)
    return float(np.nansum(diagram.counts * gaps) / len(labels))


def best_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature at which softmax(log p / T) has the least cross-entropy: above 1 tempers, below sharpens.

    Guo, Pleiss, Sun & Weinberger 2017. The search covers 1/4 to 4 in steps of a hundredth.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        partition = np.log(np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1)) + scaled.max(axis=1)
        return float((partition - scaled[np.arange(len(labels)), labels]).mean())

    return float(min(np.geomspace(0.25, 4.0, 280), key=loss))


def selective_accuracy(confidences: np.ndarray, right: np.ndarray, coverages: np.ndarray) -> np.ndarray:
    """Return the accuracy of the most confident predictions, for each share of all that is answered.

    Equal confidences are taken in their order. Confidences are float `[n]`, `right` bool `[n]`, coverages in (0, 1].
    """
    answered = np.maximum(np.round(coverages * len(right)).astype(int), 1)
    so_far = np.cumsum(right[np.argsort(-confidences, kind="stable")])
    return so_far[answered - 1] / answered
