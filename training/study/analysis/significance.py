"""Test differences: of the means of seeds, of seeds and images together, and of two fitted models."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

LEVEL = 0.95
PERMUTATIONS = 9_999
BOOTSTRAP_RESAMPLES = 4_000
CHUNK = 500  # of them worked on at once: 20 MB for 10,000 images


class Summary(NamedTuple):
    """Mean, standard deviation and range of an arm's seeds, and the mean's 95 % t interval (NaN for one seed)."""

    n: int
    mean: float
    sd: float
    min: float
    max: float
    low: float
    high: float


def summarise(values: np.ndarray) -> Summary:
    """Return the summary of one figure a seed."""
    if len(values) < 2:
        low = high = sd = float("nan")
    else:
        sd = float(values.std(ddof=1))
        low, high = DescrStatsW(values).tconfint_mean(1 - LEVEL) if sd else (values[0], values[0])
    return Summary(len(values), float(values.mean()), sd, *map(float, (values.min(), values.max(), low, high)))


class Difference(NamedTuple):
    """Mean of a less mean of b over their seeds: Welch's test and 95 % interval, and a permutation test's p."""

    difference: float
    low: float
    high: float
    t: float
    p: float
    p_permutation: float


def difference(a: np.ndarray, b: np.ndarray, seed: int = 0) -> Difference:
    """Compare one figure a seed of two arms; with fewer than two seeds, or no variance, the tests are NaN."""
    gap = float(a.mean() - b.mean())
    if min(len(a), len(b)) < 2 or not (a.std() or b.std()):
        return Difference(gap, *[float("nan")] * 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # seeds of one arm that are all alike, as steps may be
        welch = stats.ttest_ind(a, b, equal_var=False)
        interval = welch.confidence_interval(LEVEL)
    permuted = stats.permutation_test(
        (a, b), lambda x, y, axis: x.mean(axis) - y.mean(axis), vectorized=True, n_resamples=PERMUTATIONS,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return Difference(gap, *map(float, (interval.low, interval.high, welch.statistic, welch.pvalue, permuted.pvalue)))


def holm(p: list[float]) -> list[float]:
    """Return the p values of a family of tests, adjusted by Holm's method; a NaN is no test and stays."""
    adjusted = np.array(p, float)
    there = ~np.isnan(adjusted)
    if there.any():
        adjusted[there] = multipletests(adjusted[there], method="holm")[1]
    return adjusted.tolist()


def image_draws(images: int, seed: int = 0) -> np.ndarray:
    """Return how often each resample of the two-way bootstrap has each test image, uint8 `[resamples, images]`."""
    rng = np.random.default_rng(seed)
    even = np.full(images, 1 / images)
    return np.stack([rng.multinomial(images, even).astype(np.uint8) for _ in range(BOOTSTRAP_RESAMPLES)])


def bootstrap(a: np.ndarray, b: np.ndarray, draws: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of a's accuracy less b's, seeds and test images drawn anew.

    `a` and `b`, bool `[seeds, images]`, mark the images that each member has right; `draws` are image_draws. A
    resample draws each arm's seeds and, the same for both arms, the images (Owen & Eckles 2012). It adds whole numbers:
    the order of additions does not matter.
    """
    rng = np.random.default_rng(seed)
    gaps = []
    for of_images in np.split(draws, range(CHUNK, len(draws), CHUNK)):
        means = []
        for right in (a, b):
            seeds, images = right.shape
            of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), len(of_images)).astype(np.float32)
            right_a_draw = of_seeds @ right.astype(np.float32)
            means.append(np.einsum("ij,ij->i", right_a_draw, of_images, dtype=np.float64) / (seeds * images))
        gaps.append(means[0] - means[1])
    low, high = np.quantile(np.concatenate(gaps), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


class Discordant(NamedTuple):
    """Numbers of images that only one of two fitted models has right, and McNemar's exact p of an even split."""

    only_a: int
    only_b: int
    p: float


def exact_mcnemar(a: np.ndarray, b: np.ndarray) -> Discordant:
    """Compare two fitted models from which images, bool `[n]`, each has right."""
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    table = [[int((a & b).sum()), only_a], [only_b, int((~a & ~b).sum())]]
    return Discordant(only_a, only_b, float(mcnemar(table, exact=True).pvalue))
