"""Find signs that many labels of a set are wrong."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

CONFIDENT = 0.9  # a model's probability of the class that it sees
MOST_CONTRADICTED = 0.05  # share of the taught labels that a candidate may still contradict
LEAST_LABELLED = 0.2  # labels of a class, as a share of the images that look like it
RISK = 0.025  # of calling a set wrong that is just within one of these bounds


def still_contradicted(predicted: np.ndarray, labels: np.ndarray) -> list[str]:
    """Say that many labels seem wrong, if a candidate that learned from them predicts others; `[n]` both.

    Its loss is robust, and each image is distorted anew: it learns a label where other images bear it out.
    """
    count, n = int((predicted != labels).sum()), len(labels)
    if at_most(n - count, n, 1 - MOST_CONTRADICTED) >= RISK:
        return []
    return [
        f"it still contradicts {count:,} of the {n:,} labels that it learned from, and may contradict "
        f"{MOST_CONTRADICTED:.0%}: too many labels seem wrong"
    ]


def never_labelled(seen: np.ndarray, labels: np.ndarray, names: Sequence[str], base: str) -> list[str]:
    """Say which classes hardly any of `labels`, `[n]`, name, though many images look like them.

    `seen` has the probabilities `[n, classes]` that the model called `base` gives. It may be wrong of them. But where a
    class has no labels, either they are wrong or a candidate would forget how these hands write it.
    """
    found = []
    sure = seen.max(axis=1) >= CONFIDENT
    for number, name in enumerate(names):
        alike = int((sure & (seen.argmax(axis=1) == number)).sum())
        labelled = int((labels == number).sum())
        if at_most(labelled, alike, LEAST_LABELLED) < RISK:
            found.append(
                f"{base} reads {alike:,} labelled images as {name}, with confidence, and {labelled:,} labels say "
                f"{name}: images of {name} are labelled as others, or there are none"
            )
    return found


def at_most(count: int, n: int, share: float) -> float:
    """Return P(X ≤ count) of a binomial X with `n` trials of probability `share`, by the incomplete beta function."""
    if count >= n:
        return 1.0
    return float(tf.math.betainc(*(tf.constant(each, tf.float64) for each in (n - count, count + 1, 1 - share))))
