"""Sequential tests replayed case by case."""

import math

import numpy as np

from serving.gateway.experiments.sequential import TUNED_FOR, log_e_shares


def most(runs: int, alpha: float = 0.05) -> float:
    """Return α and two standard errors, the largest share of false results that `runs` runs may show."""
    return alpha + 2 * math.sqrt(alpha * (1 - alpha) / runs)


def replayed(differences: np.ndarray, alpha: float) -> np.ndarray:
    """Return the confidence sequence after each of `differences`, [n, 2], by equation 9 of arXiv 2103.06476."""
    t = np.arange(1, len(differences) + 1)
    mean = differences.cumsum() / t
    sigma = np.sqrt((differences**2).cumsum() / t - mean**2)
    rho = np.sqrt((-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / TUNED_FOR)
    reach = sigma * np.sqrt(2 * (t * rho**2 + 1) / (t**2 * rho**2) * np.log(np.sqrt(t * rho**2 + 1) / alpha))
    return np.stack([mean - reach, mean + reach], axis=1)


def first_crossings(cases: np.ndarray, share: float, concentration: float) -> np.ndarray:
    """Return after how many of `cases` (True: for the variant), [runs, cases], E first reaches 20; 0 for never."""
    length = cases.shape[1]
    wins = cases.cumsum(axis=1)
    total = np.broadcast_to(np.arange(1, length + 1), wins.shape)
    table = np.array(
        [[log_e_shares((k, n - k), (share, 1 - share), concentration) if k <= n else 0 for k in range(length + 1)]
         for n in range(length + 1)]
    )  # fmt: skip
    crossed = table[total, wins] >= math.log(20)
    return np.where(crossed.any(axis=1), crossed.argmax(axis=1) + 1, 0)
