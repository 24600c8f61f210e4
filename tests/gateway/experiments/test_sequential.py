"""E-values against scipy and exact arithmetic, intervals against their formulae, and what must hold of them."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from serving.gateway.experiments import sequential
from serving.gateway.experiments.sequential import (
    e_value,
    half_width,
    log_e_above,
    log_e_shares,
    log_mean,
    p_anytime,
    share_sequence,
)
from testing.replays import most

unhurried = settings(deadline=None)  # the machine may be busy
counts = st.integers(0, 5000)
shares = st.floats(0.05, 0.95)


@unhurried
@given(counts, counts, shares, st.sampled_from([10.0, 50.0, 100.0]))
def test_two_arms_are_as_scipys_beta_binomial(a: int, b: int, share: float, concentration: float) -> None:
    alternative = stats.betabinom(a + b, concentration * share, concentration * (1 - share))
    expected = alternative.logpmf(a) - stats.binom(a + b, share).logpmf(a)
    assert log_e_shares((a, b), (share, 1 - share), concentration) == pytest.approx(expected, abs=1e-7)


@unhurried
@given(st.lists(st.tuples(counts, st.integers(1, 20)), min_size=2, max_size=6))
def test_k_arms_are_as_scipys_dirichlet_multinomial(arms: list[tuple[int, int]]) -> None:
    n, weights = np.array(arms).T
    rho = weights / weights.sum()
    expected = stats.dirichlet_multinomial(50 * rho, n.sum()).logpmf(n) - stats.multinomial(n.sum(), rho).logpmf(n)
    assert log_e_shares(n.tolist(), weights.tolist(), 50) == pytest.approx(expected, abs=1e-7)


def stirling(z: int) -> Decimal:
    """Return lnΓ(z) for z over a million, to 30 digits and more, without its ½ ln 2π."""
    x = Decimal(z)
    return (x - Decimal("0.5")) * x.ln() - x + 1 / (12 * x) - 1 / (360 * x**3) + 1 / (1260 * x**5)


@pytest.mark.parametrize(("a", "b"), [(5_010_000, 4_990_000), (5_000_000, 5_000_000), (7_000_000, 3_000_000)])
def test_ten_million_labels_lose_no_digits_that_matter(a: int, b: int) -> None:
    with localcontext(prec=60):
        half_log_2pi = Decimal("0.918938533204672741780329736405617640")
        constant = Decimal(math.factorial(9)).ln() - 2 * Decimal(math.factorial(4)).ln() + half_log_2pi
        exact = constant + stirling(a + 5) + stirling(b + 5) - stirling(a + b + 10) + (a + b) * Decimal(2).ln()
    assert log_e_shares((a, b), (1, 1), 10) == pytest.approx(float(exact), abs=1e-6)


def test_the_worked_example() -> None:
    log_e = log_e_shares((60, 30), (1, 1), 10)
    assert (round(e_value(log_e), 1), round(p_anytime(log_e), 3)) == (31.3, 0.032)


def test_nothing_seen_says_nothing() -> None:
    assert log_e_shares((0, 0, 0), (0.2, 0.3, 0.5), 100) == 0
    assert log_e_above(0, 0, 1.5) == 0
    assert p_anytime(0) == e_value(0) == 1


def test_an_arm_of_weight_0_counts_only_if_it_has_cases() -> None:
    assert log_e_shares((1000, 0), (1, 0), 100) == pytest.approx(0, abs=1e-9)
    assert log_e_shares((1000, 1), (1, 0), 100) == math.inf
    assert (e_value(math.inf), p_anytime(math.inf)) == (math.exp(690), 0)


@unhurried
@given(st.permutations([0] * 12 + [1] * 7 + [2] * 4))
def test_the_order_of_labels_does_not_matter(labels: list[int]) -> None:
    """Each label multiplies E by its predictive probability over its share: in any order the product is the same."""
    seen, log_e, rho = [0, 0, 0], 0.0, (0.5, 0.3, 0.2)
    for arm in labels:
        log_e += math.log((10 * rho[arm] + seen[arm]) / (10 + sum(seen)) / rho[arm])
        seen[arm] += 1
    assert log_e_shares((12, 7, 4), rho, 10) == pytest.approx(log_e)


@unhurried
@given(counts, counts, shares)
def test_arms_may_be_named_in_any_order(a: int, b: int, share: float) -> None:
    assert log_e_shares((a, b), (share, 1 - share), 50) == pytest.approx(log_e_shares((b, a), (1 - share, share), 50))


@unhurried
@given(counts, counts)
def test_a_case_more_for_the_leader_is_never_less_evidence(a: int, b: int) -> None:
    leader, other = max(a, b), min(a, b)
    assert log_e_shares((leader + 1, other), (1, 1), 10) >= log_e_shares((leader, other), (1, 1), 10) - 1e-9


@unhurried
@given(st.integers(0, 30), shares)
def test_under_the_null_hypothesis_e_is_1_on_average(n: int, share: float) -> None:
    a = np.arange(n + 1)
    e = [e_value(log_e_shares((k, n - k), (share, 1 - share), 10)) for k in a.tolist()]
    assert stats.binom(n, share).pmf(a) @ e == pytest.approx(1)


@unhurried
@given(counts, counts, st.floats(0.1, 10))
def test_one_sided_is_a_mixture_of_binomial_likelihood_ratios(cases: int, others: int, odds: float) -> None:
    raised = odds * np.array(sequential.ODDS_RATIOS)
    logs = stats.binom.logpmf(cases, cases + others, raised / (1 + raised))
    expected = np.logaddexp.reduce(logs) - np.log(len(raised))
    expected -= stats.binom.logpmf(cases, cases + others, odds / (1 + odds))
    assert log_e_above(cases, others, odds) == pytest.approx(expected, abs=1e-6)


@unhurried
@given(st.integers(0, 30), st.floats(0.1, 10), st.floats(0.01, 1))
def test_within_the_bound_the_one_sided_e_is_at_most_1_on_average(n: int, odds: float, part: float) -> None:
    a = np.arange(n + 1)
    e = [e_value(log_e_above(k, n - k, odds)) for k in a.tolist()]
    assert stats.binom(n, part * odds / (1 + odds)).pmf(a) @ e <= 1 + 1e-9


@unhurried
@given(st.floats(1, 5), st.floats(0.01, 0.99))
def test_arms_that_fail_together_do_not_raise_the_one_sided_e(odds: float, together: float) -> None:
    """Of six images with control's rate at 0.1 and the variant's at the bound, a share fails with both arms."""
    both = 0.1 * together
    outcomes = stats.multinomial(6, [both, 0.1 * odds - both, 0.1 - both, 0.9 - 0.1 * odds + both])
    mean = sum(
        outcomes.pmf([i, j, k, 6 - i - j - k]) * e_value(log_e_above(i + j, i + k, odds))
        for i in range(7) for j in range(7 - i) for k in range(7 - i - j)
    )  # fmt: skip
    assert mean <= 1 + 1e-9


def test_the_sequence_is_narrowest_where_it_is_tuned() -> None:
    """Against the best ρ for 10,000 observations, found numerically: within a thousandth of its width."""

    def width(rho2: float, n: float = sequential.TUNED_FOR) -> float:
        return math.sqrt(2 * (n * rho2 + 1) / (n * n * rho2) * math.log(math.sqrt(n * rho2 + 1) / 0.05))

    best = optimize.minimize_scalar(width, bounds=(1e-6, 1e-1), method="bounded", options={"xatol": 1e-9})
    assert best.fun <= half_width(1, sequential.TUNED_FOR, 0.05) <= best.fun * 1.001


@unhurried
@given(st.lists(st.floats(-600, 600), min_size=1, max_size=5))
def test_the_mean_of_e_values_is_taken_in_logs(logs: list[float]) -> None:
    assert log_mean(logs) == pytest.approx(math.log(math.fsum(map(math.exp, logs)) / len(logs)), abs=1e-9)


def test_the_p_value_of_several_tests_is_corrected_for_their_number() -> None:
    assert p_anytime(math.log(40), 2) == pytest.approx(0.05)
    assert p_anytime(math.log(1.5), 2) == 1


@pytest.mark.parametrize(("right", "n"), [(1, 1), (7, 10), (10, 10), (0, 10), (8910, 9000), (90_000, 100_000)])
def test_a_share_outside_its_sequence_is_rejected_by_the_beta_binomial_mixture(right: int, n: int) -> None:
    low, high = share_sequence(right, n, 0.05)
    assert 0 <= low <= right / n <= high <= 1
    assert ((low > 0), (high < 1)) == (right > 0, right < n)
    for bound in (low, high):
        if 0 < bound < 1:
            log_e = stats.betabinom(n, 0.5, 0.5).logpmf(right) - stats.binom(n, bound).logpmf(right)
            assert log_e == pytest.approx(math.log(20), abs=1e-5)


def test_the_sequence_of_a_share_narrows_as_labels_come() -> None:
    """It is twice as wide as Wilson's interval, (0.98773, 0.99186), which holds at one moment only."""
    assert share_sequence(8910, 9000, 0.05) == pytest.approx((0.98528, 0.99359), abs=1e-5)
    low, high = share_sequence(9_900_000, 10_000_000, 0.05)
    assert 0.9898 < low < 0.99 < high < 0.9902


def test_the_sequence_of_nothing_is_everything() -> None:
    assert share_sequence(0, 0, 0.05) == (0, 1)


@pytest.mark.slow
def test_the_sequence_of_a_share_covers_it_at_all_times() -> None:
    """400 arms of accuracy 0.98, looked at after each of 50 batches of 40 labels."""
    right = np.random.default_rng(10).binomial(40, 0.98, size=(400, 50)).cumsum(axis=1)
    missed = 0
    for run in right.tolist():
        sequences = (share_sequence(r, 40 * look, 0.05) for look, r in enumerate(run, 1))
        missed += any(not low <= 0.98 <= high for low, high in sequences)
    assert missed / 400 <= most(400)
