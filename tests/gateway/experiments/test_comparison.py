"""The verdict on one variant against control."""

import math
from dataclasses import replace

import pytest

from serving.gateway.experiments import reasons
from serving.gateway.experiments.comparison import Comparison, compare
from serving.gateway.experiments.outcomes import PairCounts
from testing.phase_counts import PAIRED, THREE, UNPAIRED, mcnemar, paired_phase, unpaired_phase

SEEN = Comparison(
    arm=1, tests=1, for_variant=60, for_control=30, units=None, n=9000, difference=0.0003, sequence=(-0.001, 0.0015),
    log_e=math.log(20), threshold=20, lean=15, possible=True, deciding=90,
    cases_to_go=0, volunteered=0,
)  # fmt: skip
WEAK = replace(SEEN, log_e=math.log(19.9))


@pytest.mark.parametrize(
    ("comparison", "verdict"),
    [
        (SEEN, "better"),
        (replace(SEEN, difference=-0.0003, lean=-15), "worse"),
        (replace(SEEN, lean=-15), "undecided"),
        (replace(SEEN, difference=0.0), "undecided"),
        (replace(SEEN, difference=None, sequence=None), "undecided"),
        (WEAK, "equivalent"),
        (replace(WEAK, sequence=None), "undecided"),
        (replace(WEAK, volunteered=1), "undecided"),
        (replace(SEEN, difference=-0.0003, volunteered=1, by_trusted=0.0003), "better"),
        (replace(SEEN, difference=0.0003, volunteered=1, by_trusted=-0.0003), "undecided"),
        (replace(SEEN, volunteered=1, by_trusted=None), "undecided"),
        (replace(WEAK, sequence=(-0.0021, 0.001)), "undecided"),
        (replace(WEAK, sequence=(-0.001, 0.0021)), "undecided"),
    ],
)
def test_evidence_and_size_give_the_verdict(comparison: Comparison, verdict: str) -> None:
    assert comparison.verdict(0.002) == verdict


def test_the_error_is_shared_between_the_comparisons() -> None:
    two = compare(THREE, [paired_phase({0b111: 900, 0b001: 30, 0b110: 60}, arms=3)], 1)
    one = compare(PAIRED, [mcnemar(900, 30, 60)], 1)
    assert (two.threshold, one.threshold) == (40, 20)
    assert two.p_anytime == pytest.approx(2 * one.p_anytime)
    assert (two.significant, one.significant) == (False, True)


@pytest.mark.parametrize(
    "c",
    [compare(PAIRED, [mcnemar(9, 5000, 5001)], 1), compare(UNPAIRED, [unpaired_phase([5000, 5001], [9999] * 2)], 1)],
)
def test_no_forecast_goes_too_far(c: Comparison) -> None:
    assert c.cases_to_go is None


def test_decided_evidence_needs_no_more_cases() -> None:
    assert compare(PAIRED, [mcnemar(900, 30, 60)], 1).cases_to_go == 0


def test_labels_of_users_forecast_nothing() -> None:
    trusted = PairCounts(
        units=900, images=900, disagreements=200, labelled_disagreements=5, won=4, lost=1, trusted_won=4,
        trusted_lost=1, first_won=4, first_lost=1, net={1: 4, -1: 1}, squares=5, products=3, sizes=900,
    )  # fmt: skip
    both = replace(trusted, labelled_disagreements=100, volunteered=95, won=54, lost=46, net={1: 54, -1: 46})
    users = replace(both, trusted_won=0, trusted_lost=0, first_won=0, first_lost=0)
    one, other, none = (
        compare(PAIRED, [paired_phase({}, pairs=(PairCounts(), pair))], 1) for pair in (trusted, both, users)
    )
    assert one.cases_to_go == other.cases_to_go is not None
    assert none.cases_to_go is None
    assert "have been labelled yet, but by users." in reasons.compared(PAIRED, none, "undecided")
