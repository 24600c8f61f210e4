"""Judge a candidate by images of units that it did not learn from, and by the image set that it must not forget."""

from typing import Any, NamedTuple

import numpy as np

MARGIN = 0.003  # accuracy on the replayed set's test images that a candidate may lose
RESAMPLES, LEVEL = 2000, 0.95
FEWEST_UNITS = 2


class NotBetter(Exception):
    """A candidate that is not published; the text says why."""


class Right(NamedTuple):
    """The images that a model has right, bool `[n]`: those held out, and the replayed set's test images."""

    held_out: np.ndarray
    test: np.ndarray


class Judgement(NamedTuple):
    """The reasons not to publish a candidate, none if it is better, and the figures for the manifest."""

    failures: list[str]
    figures: dict[str, Any]


def judge(candidate: Right, base: Right, units: np.ndarray, name: str) -> Judgement:
    """Judge a candidate against the variant called `name`; `units`, int `[n]`, are those of the images held out."""
    net = candidate.held_out.astype(int) - base.held_out.astype(int)
    better, change = float(net.mean()), float(candidate.test.mean() - base.test.mean())
    failures = []
    if better <= 0:
        failures.append(
            f"on {len(units):,} labelled images of units that it did not learn from, its accuracy is "
            f"{candidate.held_out.mean():.4f}, and {name}'s is {base.held_out.mean():.4f}: it must be better"
        )
    if round(change + MARGIN, 9) < 0:  # in the last bits, 0.987 − 0.990 is less than −0.003
        failures.append(
            f"on the test images its accuracy is {candidate.test.mean():.4f}, and {name}'s is {base.test.mean():.4f}: "
            f"it may lose {MARGIN:.3f}"
        )
    return Judgement(
        failures,
        {
            "base": name,
            "held_out": {
                "images": len(units), "units": len(np.unique(units)), "accuracy": float(candidate.held_out.mean()),
                "base_accuracy": float(base.held_out.mean()), "difference": better, "interval": interval(net, units),
            },
            "test": {
                "accuracy": float(candidate.test.mean()), "base_accuracy": float(base.test.mean()),
                "difference": change, "margin": MARGIN,
            },
        },
    )  # fmt: skip


def interval(net: np.ndarray, units: np.ndarray) -> list[float] | None:
    """Return the 95 % bootstrap interval of the mean of `net`, `[n]`, over units, `[n]`; None for a single unit.

    Whole units are drawn again, since images of one unit are alike (Efron & Tibshirani 1993, § 8).
    """
    names, of_unit = np.unique(units, return_inverse=True)
    if len(names) < FEWEST_UNITS:
        return None
    sums, sizes = np.bincount(of_unit, net), np.bincount(of_unit)
    drawn = np.random.default_rng(0).integers(0, len(names), (RESAMPLES, len(names)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return [float(bound) for bound in np.quantile(means, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))]
