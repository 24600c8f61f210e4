import numpy as np
import pytest

from training.study.analysis import significance as statistics
from training.study.analysis.significance import bootstrap, difference, exact_mcnemar, holm, summarise

DRAWS = statistics.image_draws(400)


def test_summary_of_seeds() -> None:
    summary = summarise(np.array([1.0, 2.0, 3.0, 4.0]))
    assert summary[:5] == pytest.approx((4, 2.5, 1.2909944, 1.0, 4.0))
    # t(0.975, 3) = 3.1824463; 3.1824463 · 1.2909944 / 2 = 2.0542603
    assert (summary.low, summary.high) == pytest.approx((2.5 - 2.0542603, 2.5 + 2.0542603))


def test_one_seed_has_no_interval() -> None:
    assert np.isnan([summarise(np.array([0.9])).low, summarise(np.array([0.9])).sd]).all()


def test_welch_and_permutation() -> None:
    a, b = np.array([5.1, 4.9, 5.3, 5.2]), np.array([4.0, 4.4, 3.8, 4.2])
    found = difference(a, b)
    assert found.difference == pytest.approx(1.025)
    # Welch: t = 1.025 / √(0.0291667/4 + 0.0666667/4), 5.20 degrees of freedom
    assert found.t == pytest.approx(1.025 / np.sqrt((0.0875 / 3 + 0.2 / 3) / 4))
    assert found.low < 1.025 < found.high and found.low > 0
    assert found.p_permutation == pytest.approx(2 / 70)  # of 70 divisions of eight, this one and its mirror image


@pytest.mark.parametrize(("a", "b"), [([0.9], [0.8, 0.7]), ([0.5, 0.5], [0.5, 0.5])])
def test_what_cannot_be_tested_is_not(a: list[float], b: list[float]) -> None:
    assert np.isnan(difference(np.array(a), np.array(b)).p)


def test_seeds_that_are_all_alike_can_be_compared_with_others() -> None:
    assert difference(np.array([100.0, 100.0, 100.0]), np.array([200.0, 300.0, 250.0])).p < 0.05


def test_holm_adjusts_a_family_and_leaves_what_is_no_test() -> None:
    assert holm([0.01, float("nan"), 0.04, 0.03]) == pytest.approx([0.03, float("nan"), 0.06, 0.06], nan_ok=True)


def test_bootstrap_of_an_arm_with_itself_is_around_nothing() -> None:
    right = np.random.default_rng(1).random((8, 400)) < 0.9
    low, high = bootstrap(right, right, DRAWS)
    assert low < 0 < high


def test_bootstrap_counts_the_luck_of_the_images() -> None:
    """Two arms whose seeds agree, and that differ on 40 of 400 images: the variance is that of the images alone."""
    a, b = np.ones((6, 400), bool), np.ones((6, 400), bool)
    b[:, :40] = False
    low, high = bootstrap(a, b, DRAWS)
    se = np.sqrt(0.1 * 0.9 / 400)
    assert (low, high) == pytest.approx((0.1 - 1.96 * se, 0.1 + 1.96 * se), abs=0.004)


def test_bootstrap_counts_the_luck_of_the_seeds() -> None:
    """Seeds that have all images right or none: the variance is that of the seeds alone."""
    a = np.repeat(np.arange(20) < 10, 400).reshape(20, 400)
    low, high = bootstrap(a, np.zeros((20, 400), bool), DRAWS)
    se = np.sqrt(0.5 * 0.5 / 20)
    assert (low, high) == pytest.approx((0.5 - 1.96 * se, 0.5 + 1.96 * se), abs=0.06)


def test_mcnemar_is_the_binomial_test_of_the_discordant() -> None:
    a, b = np.ones(20, bool), np.ones(20, bool)
    a[:1], b[1:8] = False, False
    found = exact_mcnemar(a, b)
    assert found[:2] == (7, 1)
    assert found.p == pytest.approx(2 * (1 + 8) / 2**8)
    assert exact_mcnemar(a, a) == (0, 0, 1.0)  # statsmodels' approximate test says 0
