import math

import numpy as np
import pytest

from benchmarks.drift import Drift, proposals
from serving.gateway.experiments.regression import log_e_regression
from serving.gateway.experiments.sequential import log_e_above
from testing.replays import most

NEEDED = math.log(20)


def test_without_cases_there_is_no_evidence() -> None:
    assert log_e_regression((0, 0), []) == pytest.approx(0)
    assert log_e_regression((0, 0), [(0, 0)] * 50) == pytest.approx(0)


def test_only_wins_of_the_old_default_are_evidence() -> None:
    assert log_e_regression((40, 10), []) > NEEDED
    assert log_e_regression((10, 40), []) < 0


def test_a_long_good_time_before_does_not_hide_a_change() -> None:
    before, now = (300, 600), (340, 610)
    assert log_e_regression(now, []) < 0
    assert log_e_regression(now, [(0, 1), (1, 3), before]) > NEEDED


def test_replaced_labels_leave_no_negative_counts() -> None:
    assert log_e_regression((5, 5), [(7, 3)]) < NEEDED


def test_the_mixture_is_at_most_one_on_average_at_the_bound() -> None:
    """Exactly: over all outcomes of twelve cases, with a checkpoint after the fourth and the eighth."""
    mean = 0.0
    for outcome in range(2**12):
        wins = [outcome >> case & 1 for case in range(12)]
        counts = [(sum(wins[:n]), n - sum(wins[:n])) for n in (4, 8, 12)]
        mean += math.exp(log_e_regression(counts[2], counts[:2])) / 2**12
    assert mean == pytest.approx(1, abs=1e-9)
    assert math.exp(log_e_above(12, 0, 1.0)) > 1


@pytest.mark.slow
def test_an_equal_variant_is_seldom_proposed_for_rollback_and_a_worse_one_soon() -> None:
    """The short form of `make verify-experiments ARGS=drift`."""
    runs = 60
    false = np.isfinite(proposals(Drift(0.0, 0), runs, seed=1, images=10_000)).mean()
    assert false <= most(runs)
    assert np.median(proposals(Drift(0.01, 0), 15, seed=2, images=5_000)) < 3_000
    later = Drift(0.01, 5_000)
    assert np.median(proposals(later, 15, seed=3, images=15_000)) < 12_000
