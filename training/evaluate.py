"""How good predicted probabilities are on a labelled set."""

import numpy as np


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of rows of `[n, classes]` whose largest probability is the label's."""
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean negative log-likelihood of the labels in nats; probability 0 counts as the least float32."""
    likelihoods = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(likelihoods, np.finfo(np.float32).tiny)).mean())


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Return the expected calibration error: mean |accuracy − confidence| over equal bins of confidence.

    Guo, Pleiss, Sun & Weinberger 2017, "On Calibration of Modern Neural Networks", eq. 3, with their 15 bins.
    """
    confidences = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bin_of = np.minimum((confidences * bins).astype(int), bins - 1)
    gaps = np.bincount(bin_of, right - confidences.astype(np.float64), minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))
