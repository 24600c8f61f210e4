"""The split, the labels, their sample, and stand-ins."""

import math
from dataclasses import replace

import pytest

from serving.gateway.experiments.checks import check_health, check_labels, check_split
from serving.gateway.experiments.outcomes import PairCounts, PhaseCounts
from testing.phase_counts import PAIRED, THREE, UNPAIRED, mcnemar, paired_phase, single_images

BAD_SPLIT = mcnemar(8910, 30, 60, units=(5000, 4000))
BAD_LABELS = mcnemar(8910, 30, 60, labelled=(3000, 2000))
GOOD = mcnemar(8910, 30, 60)


@pytest.mark.parametrize(
    ("weights", "units", "ok"),
    [
        ((0.5, 0.5), (50_000, 50_200), True),
        ((0.5, 0.5), (50_000, 52_000), False),
        ((0.9, 0.1), (90_100, 9_900), True),
        ((1.0, 0.0), (1000, 0), True),
        ((1.0, 0.0), (1000, 1), False),
        ((0.5, 0.5), (0, 0), True),
    ],
)
def test_units_and_labels_fall_as_the_weights_say(weights: tuple[float, ...], units: tuple[int, ...], ok: bool) -> None:
    phase = mcnemar(0, 0, 0, weights=weights, units=units, labelled=units)
    assert check_split(phase).ok is check_labels(phase).ok is ok
    assert check_split(replace(phase, labelled=(0, 9))).ok is ok
    assert check_labels(replace(phase, units=(0, 9))).ok is ok


def test_a_check_says_what_it_expected() -> None:
    check = check_split(mcnemar(0, 0, 0, weights=(0.9, 0.1), units=(9100, 900)))
    assert (check.subject, check.seen) == ("units", (9100, 900))
    assert check.expected == pytest.approx((9000, 1000))


@pytest.mark.parametrize("bad", [BAD_SPLIT, BAD_LABELS])
def test_a_phase_that_fails_is_left_out_and_a_new_one_heals(bad: PhaseCounts) -> None:
    assert (check_health(PAIRED, [bad]).fit, len(check_health(PAIRED, [bad]).failed)) == ((), 1)
    healed = check_health(PAIRED, [GOOD, bad, GOOD])
    assert (healed.failed, healed.fit, healed.left_out) == ([], (GOOD, GOOD), (2,))
    assert (healed.split.ok, healed.label_rate.ok) == (True, True)
    relapsed = check_health(PAIRED, [GOOD, bad])
    assert (len(relapsed.failed), relapsed.fit, relapsed.left_out) == (1, (GOOD,), (2,))


def test_phases_are_not_held_against_each_other() -> None:
    phases = [mcnemar(0, 0, 0, weights=w, units=n) for w, n in (((0.5, 0.5), (1000, 1000)), ((0.9, 0.1), (9000, 1000)))]
    assert check_health(PAIRED, phases).fit == tuple(phases)


def test_without_a_phase_nothing_is_wrong() -> None:
    for design in (PAIRED, UNPAIRED, THREE):
        health = check_health(design, [])
        assert (health.failed, health.fit, health.left_out, health.stand_ins.ok) == ([], (), (), True)


def sampled(*log_e: float) -> PhaseCounts:
    """Return a phase of three arms whose labels are a sample with this evidence against it."""
    pairs = tuple(replace(single_images(9, 1, 1, 2), sample_log_e=each) for each in log_e)
    return paired_phase({7: 9}, arms=3, pairs=(PairCounts(), *pairs))


@pytest.mark.parametrize(
    ("phases", "e", "ok"),
    [
        ([sampled(math.log(1999), 0)], 1999, True),
        ([sampled(0, math.log(2001))], 2001, False),
        ([sampled(math.log(50), 0), sampled(math.log(50), 0)], 2500, False),
        ([sampled(math.log(50), 0), sampled(0, math.log(50))], 50, True),
        ([replace(sampled(20, 20), units=(9, 9, 9000)), sampled(0, 0)], 1, True),  # from a phase that is left out
    ],
)
def test_labels_must_be_a_fair_sample_of_the_disagreements(phases: list[PhaseCounts], e: float, ok: bool) -> None:
    health = check_health(THREE, phases)
    assert math.exp(health.label_sample.log_e) == pytest.approx(e)
    assert (health.label_sample.ok, health.failed == []) == (ok, ok)
    assert health.label_sample.p == pytest.approx(min(1, 2 / e))


@pytest.mark.parametrize(("unlabelled", "ok"), [(4, True), (5, True), (6, False)])
def test_where_nearly_all_disagreements_have_labels_no_choice_is_left(unlabelled: int, ok: bool) -> None:
    pair = replace(single_images(9000, 60, 35, unlabelled), sample_log_e=20.0)
    assert check_health(PAIRED, [mcnemar(9000, 0, 0, pairs=(PairCounts(), pair))]).label_sample.ok is ok


@pytest.mark.parametrize(("others", "ok"), [((0, 20), True), ((0, 21), False), ((21, 0), False)])
def test_stand_ins_may_answer_for_2_percent_of_an_arms_exposures(others: tuple[int, int], ok: bool) -> None:
    health = check_health(PAIRED, [mcnemar(9, 0, 0, exposures=(1000, 1000), stand_ins=others)])
    assert (health.stand_ins.ok, health.failed) == (ok, [])
    assert health.stand_ins.most == max(others) / 1000


def test_the_share_of_stand_ins_is_that_of_the_phases_used() -> None:
    bad = replace(BAD_SPLIT, exposures=(900, 900), stand_ins=(0, 900))
    good = replace(GOOD, exposures=(900, 900), stand_ins=(0, 9))
    assert check_health(PAIRED, [bad, good, good]).stand_ins.shares == (0, 0.01)
    dead = replace(GOOD, exposures=(900, 900), stand_ins=(0, 900))
    assert check_health(PAIRED, [dead]).stand_ins.shares == (0, 1)
    assert check_health(PAIRED, [good, bad]).stand_ins.shares == (0, 909 / 1800)  # the current phase is not fit
