"""Find signs that many labels of a set are wrong."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

CONFIDENT = 0.9  # a model's probability of the class that it sees
MOST_CONTRADICTED = 0.05  # share of the taught labels that a candidate may still contradict
LEAST_LABELLED = 0.2  # labels of a class, as a share of the images that look like it
RISK = 0.025  # of calling a set wrong that is just within one of these bounds


def still_contradicted(predicted: np.ndarray, labels: np.ndarray) -> tuple[list[str], dict[int, int]]:
    """Say that many labels seem wrong, if a candidate that learned from them predicts others, `[n]` both; list them.

    The list has the class that is predicted, by image. The candidate's loss is robust, and each image is distorted
    anew: it learns a label where other images bear it out.
    """
    wrong, n = np.flatnonzero(predicted != labels), len(labels)
    listed = dict(zip(wrong.tolist(), predicted[wrong].tolist(), strict=True))
    if at_most(n - len(wrong), n, 1 - MOST_CONTRADICTED) >= RISK:
        return [], listed
    return [
        f"it still contradicts {len(wrong):,} of the {n:,} labels that it learned from, and may contradict "
        f"{MOST_CONTRADICTED:.0%}: too many labels seem wrong"
    ], listed


def never_labelled(
    seen: np.ndarray, labels: np.ndarray, names: Sequence[str], base: str
) -> tuple[list[str], dict[int, int]]:
    """Say which classes hardly any of `labels`, `[n]`, name, though many images look like them; list those images.

    The list has the class that is seen, by image.

    `seen` has the probabilities `[n, classes]` that the model called `base` gives. It may be wrong of them. But where a
    class has no labels, either they are wrong or a candidate would forget how these hands write it.
    """
    found, listed = list[str](), dict[int, int]()
    classes, sure = seen.argmax(axis=1), seen.max(axis=1) >= CONFIDENT
    for number, name in enumerate(names):
        alike, labelled = sure & (classes == number), labels == number
        read, given = int(alike.sum()), int(labelled.sum())
        if at_most(given, read, LEAST_LABELLED) < RISK:
            found.append(
                f"{base} reads {read:,} labelled images as {name}, with confidence, and {given:,} labels say "
                f"{name}: images of {name} are labelled as others, or there are none"
            )
            listed |= dict.fromkeys(np.flatnonzero(alike & ~labelled).tolist(), number)
    return found, listed


def at_most(count: int, n: int, share: float) -> float:
    """Return P(X ≤ count) of a binomial X with `n` trials of probability `share`, by the incomplete beta function."""
    if count >= n:
        return 1.0
    return float(tf.math.betainc(*(tf.constant(each, tf.float64) for each in (n - count, count + 1, 1 - share))))
