"""Find sets whose labels are mistaken too often to learn from."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

CONFIDENT = 0.9  # a model's probability of the class that it sees
MOST_REFUSED = 0.02  # share of the taught labels that a candidate may still contradict
LEAST_CONFIRMED = 0.2  # share of the images that look like a class whose labels must say so
RISK = 0.025  # of refusing a set that is just within a bound


def refused(classes: np.ndarray, labels: np.ndarray) -> list[str]:
    """Say that many labels are wrong, if a candidate still contradicts them, having learned from them; `[n]` both.

    A network of averaged weights, taught by distorted images, learns few labels that contradict all alike ones.
    """
    count, n = int((classes != labels).sum()), len(labels)
    if at_most(n - count, n, 1 - MOST_REFUSED) >= RISK:
        return []
    return [
        f"it still contradicts {count:,} of the {n:,} labels that it learned from, and may contradict "
        f"{MOST_REFUSED:.0%}: too many labels seem wrong"
    ]


def unconfirmed(seen: np.ndarray, labels: np.ndarray, names: Sequence[str], base: str) -> list[str]:
    """Say which classes the model called `base` sees, with what probability `[n, classes]`, and labels `[n]` do not.

    It may be wrong of some images of another hand. Where it is of nearly all of a class, either the labels are, or no
    image of that class is among them: a candidate would forget that class.
    """
    found = []
    sure = seen.max(axis=1) >= CONFIDENT
    for number, name in enumerate(names):
        alike = sure & (seen.argmax(axis=1) == number)
        n, confirmed = int(alike.sum()), int((labels[alike] == number).sum())
        if at_most(confirmed, n, LEAST_CONFIRMED) < RISK:
            found.append(
                f"{base} reads {n:,} labelled images as {name}, with confidence, and {confirmed:,} labels say so: "
                f"images of {name} are labelled as others, or there are none"
            )
    return found


def at_most(count: int, n: int, share: float) -> float:
    """Return the probability of at most `count` cases of `n`, each of which is one with the probability `share`."""
    return 1.0 if count >= n else float(tf.math.betainc(float(n - count), float(count + 1), 1 - share))
