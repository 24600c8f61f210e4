"""Compute sequential tests and intervals, valid at every moment, from counts alone.

An e-value E starts at 1 and is not expected to grow under the null hypothesis: P(E ever ≥ 1/α) ≤ α (Ville). So 1/E is a
p-value at every moment. The product of E over phases is an e-value again, even if the weights of a phase depend on the
phase before. All functions work on log E.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ODDS_RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)  # alternatives of the one-sided test, mixed in equal parts
TUNED_FOR = 10_000  # observations at which the sequence is narrowest
LARGEST_LOG = 690.0  # its exponential still fits into JSON
BISECTIONS = 50  # to 1e-15


def log_e_shares(counts: Sequence[int], shares: Sequence[float], concentration: float) -> float:
    """Return log E against "each case falls to arm i with probability `shares[i]`", renormalised to sum to 1.

    The Dirichlet-multinomial e-value of Lindon & Malek (NeurIPS 2022, arXiv 2011.03567). A larger `concentration` puts
    the alternatives nearer to `shares`. Log E is infinite with a case of an arm whose share is 0.
    """
    if any(count and not share for count, share in zip(counts, shares, strict=True)):
        return math.inf
    total = sum(shares)
    arms = [(count, share / total) for count, share in zip(counts, shares, strict=True) if share]
    return _log_e(arms, concentration, math.lgamma, math.log)


def log_e_shares_of_many(
    counts: Sequence[Array], shares: Sequence[Array | float], concentration: float, log_gamma: Callable[[Array], Array]
) -> Array:
    """Return log E as `log_e_shares` does, of many experiments at once; `shares` are above 0, `log_gamma` is ln Γ."""
    total = sum(shares)
    return _log_e([(count, share / total) for count, share in zip(counts, shares, strict=True)], concentration,
                  log_gamma, np.log)  # fmt: skip


def _log_e(arms: Sequence[Any], concentration: float, log_gamma: Callable[..., Any], log: Callable[..., Any]) -> Any:
    """Return log E of pairs (count, share)."""
    return (
        math.lgamma(concentration)
        - log_gamma(concentration + sum(count for count, _ in arms))
        + sum(
            log_gamma(concentration * share + count)
            - log_gamma(concentration * share)
            - count * log(share)
            for count, share in arms
        )
    )  # fmt: skip


def log_e_above(cases: int, others: int, odds: float) -> float:
    """Return log E against "the odds that a case is one of `cases`, not of `others`, are at most `odds`".

    One-sided: an equal mixture of likelihood ratios of larger odds to `odds`. The factor of one case grows with the
    probability of `cases` and is 1 on average at the bound. So E is expected to shrink below the bound, also where both
    kinds of cases tend to come together, as with two arms asked about one image.
    """
    logs = [
        cases * math.log(ratio) - (cases + others) * math.log((1 + ratio * odds) / (1 + odds)) for ratio in ODDS_RATIOS
    ]
    return log_mean(logs)


def log_mean(logs: Sequence[float]) -> float:
    """Return the log of the mean of the exponentials of `logs`; the mean of e-values is one, whatever they share."""
    largest = max(logs)
    return largest + math.log(sum(math.exp(log - largest) for log in logs) / len(logs))


def log_mean_weighted(logs: Sequence[float], weights: Sequence[float]) -> float:
    """Return the log of the mean of the exponentials of `logs` by `weights`, which add up to 1."""
    largest = max(logs)
    terms = (weight * math.exp(log - largest) for log, weight in zip(logs, weights, strict=True))
    return largest + math.log(math.fsum(terms))


def e_value(log_e: float) -> float:
    """Return E, cut off at e^690 ≈ 5e299."""
    return math.exp(min(log_e, LARGEST_LOG))


def p_anytime(log_e: float, tests: int = 1) -> float:
    """Return min(1, tests/E), a p-value at every moment, by Bonferroni for the largest E of `tests`."""
    return math.exp(-max(log_e - math.log(tests), 0.0))


@overload
def half_width(variance: float, n: float, alpha: float) -> float: ...
@overload
def half_width(variance: Array, n: Array | float, alpha: float) -> Array: ...
def half_width(variance, n, alpha):
    """Return half the width of the asymptotic confidence sequence for the mean of `n` observations; takes arrays, too.

    Equation 9 of Waudby-Smith et al., Annals of Statistics 2024 (arXiv 2103.06476), with the ρ that their appendix
    gives for the narrowest interval at `TUNED_FOR` observations. `variance` is that of one observation.
    """
    rho2 = (-2 * math.log(alpha) + math.log1p(-2 * math.log(alpha))) / TUNED_FOR
    spread = n * rho2 + 1
    return np.sqrt(variance * 2 * spread / (n * n * rho2) * np.log(np.sqrt(spread) / alpha))


def share_sequence(right: int, n: int, alpha: float) -> tuple[float, float]:
    """Return the confidence sequence at level 1 - `alpha` for a share, `right` of `n`; it holds at all times at once.

    The shares p with E_p < 1/α, where E_p is the mean likelihood of shares ~ Beta(½, ½) over the likelihood of p
    (Robbins, Annals of Mathematical Statistics 1970).
    """
    wrong = n - right
    mean = (
        math.lgamma(right + 0.5) + math.lgamma(wrong + 0.5) - math.lgamma(n + 1) - math.log(math.pi) + math.log(alpha)
    )

    def rejected(share: float) -> bool:
        return mean >= right * math.log(share) + wrong * math.log1p(-share)

    low = _boundary(rejected, 0.0, right / n) if right else 0.0
    high = _boundary(rejected, 1.0, right / n) if wrong else 1.0
    return low, high


def _boundary(rejected: Callable[[float], bool], outside: float, inside: float) -> float:
    """Return the share between the two from which on none is rejected, by bisection."""
    for _ in range(BISECTIONS):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if rejected(middle) else (outside, middle)
    return outside
