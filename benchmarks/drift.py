"""Check hold-backs by simulation: a promoted variant that turns worse, and one that does not.

A part of `python -m benchmarks.verify_experiments`. The promoted variant errs on 0.7 % of images and the old default on
1.0 %, 0.4 % of them alike, until the promoted one drifts. All images on which they differ get labels, in order. Seeded.
The part fails if more rollbacks than α and two standard errors are proposed where the promoted variant is no worse.
"""

import math
from typing import NamedTuple

import numpy as np

from serving.gateway.experiments.regression import log_e_regression
from serving.gateway.store.interim_results import GROWTH
from testing.replays import most

ALPHA, HELD_BACK = 0.05, 0.05
OLD_ALONE, PROMOTED_ALONE = 0.003, 0.006  # shares of images that one alone has right
RUNS, IMAGES, BATCH = 200, 40_000, 250  # images of the hold-back
LATER = 10_000


class Drift(NamedTuple):
    """By how much the promoted variant is worse than the old default, as a share of images, after so many images."""

    worse: float
    after: int


NO_WORSE = {"equal to the old default": Drift(0.0, 0), "better by 0.3 points": Drift(-0.003, 0),
            "better, then equal": Drift(0.0, LATER)}  # fmt: skip
WORSE = {
    f"worse by {100 * worse:g} points {'after 10,000 images' if after else 'at once'}": Drift(worse, after)
    for worse in (0.003, 0.01)
    for after in (0, LATER)
}


def check() -> bool:
    """Print how often and after how many images a rollback is proposed; say if false ones are few enough."""
    bound, passed = most(RUNS, ALPHA), True
    for what, drift in NO_WORSE.items():
        share = float(np.isfinite(proposals(drift, RUNS, seed=1)).mean())
        passed &= share <= bound
        print(f"promoted variant {what}: {share:.1%} of {RUNS} rolled back (at most {bound:.1%})", flush=True)
    for what, drift in WORSE.items():
        images = float(np.median(proposals(drift, RUNS // 2, seed=2))) - drift.after
        print(f"promoted variant {what}: half of {RUNS // 2} proposed after {images:,.0f} images of the hold-back, "
              f"{images / HELD_BACK:,.0f} in all", flush=True)  # fmt: skip
        passed &= images < IMAGES
    return passed


def proposals(drift: Drift, runs: int, seed: int, images: int = IMAGES) -> list[float]:
    """Return for each run the images of the hold-back until a rollback is proposed, infinite without one."""
    rng = np.random.default_rng(seed)
    return [_proposal(drift, rng, images) for _ in range(runs)]


def _proposal(drift: Drift, rng: np.random.Generator, images: int) -> float:
    before = np.array([OLD_ALONE, PROMOTED_ALONE])
    both = (before.sum() + abs(drift.worse)) if abs(drift.worse) > 0.003 else before.sum()
    after = np.array([(both + drift.worse) / 2, (both - drift.worse) / 2])
    rates = np.where(np.arange(0, images, BATCH)[:, None] < drift.after, before, after)
    looks = rng.binomial(BATCH, rates).cumsum(axis=0).tolist()
    checkpoints: list[tuple[int, int]] = []
    labelled = 0
    for look, (old, promoted) in enumerate(looks, 1):
        if log_e_regression((old, promoted), checkpoints) >= math.log(1 / ALPHA):
            return float(look * BATCH)
        if old + promoted >= max(1, GROWTH * labelled):  # as the judge keeps interim results
            labelled = old + promoted
            checkpoints.append((old, promoted))
    return math.inf
