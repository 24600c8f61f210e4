"""The rules in their order, and what they say."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from serving.gateway.experiments.checks import check_health
from serving.gateway.experiments.comparison import compare
from serving.gateway.experiments.decision import Decision, decide
from serving.gateway.experiments.guardrails import watch_guardrails
from serving.gateway.experiments.outcomes import Design, PairCounts, PhaseCounts
from testing.phase_counts import (
    PAIRED,
    THREE,
    UNPAIRED,
    cases,
    mcnemar,
    paired_phase,
    single_images,
    units_phase,
    unpaired_phase,
)

BETTER, WORSE = mcnemar(8910, 30, 60), mcnemar(8910, 60, 30)
SAME, EARLY = mcnemar(100_000, 300, 310), mcnemar(400, 3, 5)
UNFAIR = (PairCounts(), replace(single_images(9000, 60, 30, 9), sample_log_e=7.0))


def stood_in_for(phase: PhaseCounts) -> PhaseCounts:
    return replace(phase, exposures=(4500, 4500), stand_ins=(0, 450))


def decided(phases: Sequence[PhaseCounts], design: Design = PAIRED) -> Decision:
    health = check_health(design, phases)
    comparisons = [compare(design, health.fit, arm) for arm in range(len(design.arms)) if arm != design.control]
    labels = sum(phase.deciding for phase in phases)
    return decide(design, health, watch_guardrails(design, health.fit), comparisons, labels)


@pytest.mark.parametrize(
    ("phase", "recommendation", "variant", "reason"),
    [
        (
            replace(BETTER, units=(5000, 4000), failed=cases((0, 90))), "unhealthy", None,
            "The arms got 5,000 : 4,000 units; the weights ask for 4,500 : 4,500 (E = ",
        ),
        (replace(BETTER, labelled=(3000, 2000)), "unhealthy", None, "The arms got 3,000 : 2,000 labelled units"),
        (
            replace(BETTER, pairs=UNFAIR), "unhealthy", None,
            "The labelled disagreements differ from the unlabelled ones (E = 1.1e+03, 1,000 is beyond chance). Trust",
        ),
        (
            stood_in_for(replace(BETTER, failed=cases((10, 90)))), "guardrail_broken", "dropout",
            "90 requests failed with dropout, 10 with l2: more than the 50% that the guardrail allows (E = ",
        ),
        (
            replace(BETTER, slow=cases((10, 90))), "guardrail_broken", "dropout",
            "90 requests took more than 100 ms with dropout, 10 with l2: more than the 50%",
        ),
        (
            stood_in_for(BETTER), "continue", None,
            "Other variants answered 10.0% of dropout's requests, and 2% is the most. Accuracy is not judged. ",
        ),
        (
            BETTER, "ship", "dropout",
            "dropout is better than l2 by 0.33 percentage points (accuracy changes by +0.01 to +0.65, valid at any "
            "time): dropout alone was right on 60 images, l2 alone on 30 (evidence for a difference E = 31.3, 20",
        ),
        (WORSE, "roll_back", "dropout", "dropout is worse than l2 by 0.33 percentage points (accuracy changes by -0.6"),
        (SAME, "equivalent", None, "dropout is as accurate as l2 to within 0.20 percentage points (accuracy changes "),
        (
            EARLY, "continue", None,
            "dropout and l2 are undecided yet: dropout alone was right on 5 images, l2 alone on 3 (evidence for a "
            "difference E = 0.829, 20 needed). At the present split, about ",
        ),
        (mcnemar(90, 4, 4), "continue", None, "dropout and l2 are undecided yet: "),
    ],
)  # fmt: skip
def test_the_first_rule_that_applies_decides(
    phase: PhaseCounts, recommendation: str, variant: str | None, reason: str
) -> None:
    decision = decided([phase])
    assert (decision.recommendation, decision.variant) == (recommendation, variant)
    assert decision.reasons[0].startswith(reason)


def test_of_several_broken_guardrails_the_clearest_is_named_and_all_are_told() -> None:
    design = replace(THREE, guardrails=PAIRED.guardrails)
    decision = decided([paired_phase({}, arms=3, failed=cases((10, 70, 0)), slow=cases((10, 0, 90)))], design)
    assert (decision.variant, len(decision.reasons)) == ("dropout", 2)


def test_when_the_labels_are_spent_it_is_inconclusive() -> None:
    decision = decided([EARLY], replace(PAIRED, max_labels=408))
    assert decision.recommendation == "inconclusive"
    assert decision.reasons[0] == "All 408 labels of the experiment's budget are in, and they do not decide it."
    assert decided([EARLY], replace(PAIRED, max_labels=409)).recommendation == "continue"
    assert decided([BETTER], replace(PAIRED, max_labels=9)).recommendation == "ship"


def test_labels_of_users_spend_no_budget() -> None:
    design = replace(PAIRED, max_labels=408)
    assert decided([replace(EARLY, volunteered=1)], design).recommendation == "continue"


def test_labels_of_users_choose_no_winner() -> None:
    health, better = check_health(THREE, [paired_phase({0b111: 900}, arms=3)]), compare(PAIRED, [BETTER], 1)
    other = replace(better, arm=2, log_e=better.log_e + 1, difference=0.001)
    alone, told = decide(THREE, health, [], [better, other], 0), [
        replace(each, volunteered=1, by_trusted=each.difference, difference=informed)
        for each, informed in ((better, 0.1), (other, 0.2))
    ]  # fmt: skip
    with_users = decide(THREE, health, [], told, 0)
    assert (alone.recommendation, alone.variant) == (with_users.recommendation, with_users.variant)
    assert "percentage points: " in with_users.reasons[0]  # without an interval, which the labels of users inform


def test_before_any_label_it_goes_on() -> None:
    for phases in ([], [mcnemar(0, 0, 0)]):
        decision = decided(phases)
        assert decision.recommendation == "continue"
        assert decision.reasons[0].endswith("No images on which one alone is right have been labelled yet.")


def test_stand_ins_leave_the_budget_of_labels_undecided() -> None:
    decision = decided([stood_in_for(SAME)], replace(PAIRED, max_labels=9))
    assert (decision.recommendation, len(decision.reasons)) == ("continue", 1)


@pytest.mark.parametrize(
    ("masks", "dead", "recommendation", "reasons"),
    [
        ({0b111: 9000, 0b110: 60, 0b001: 20}, 1, "ship", 2),
        ({0b111: 9000, 0b110: 20, 0b001: 60}, 1, "continue", 2),  # a roll back waits for l2
        ({0b111: 90_000, 0b001: 200, 0b110: 200}, 1, "continue", 2),
        ({0b111: 9000, 0b110: 60, 0b001: 20}, 0, "continue", 1),  # control: nothing can be compared
    ],
)
def test_of_three_arms_a_dead_one_leaves_the_others_comparable(
    masks: dict[int, int], dead: int, recommendation: str, reasons: int
) -> None:
    stand_ins = tuple(900 * (arm == dead) for arm in range(3))
    decision = decided([paired_phase(masks, arms=3, exposures=(900,) * 3, stand_ins=stand_ins)], THREE)
    assert (decision.recommendation, len(decision.reasons)) == (recommendation, reasons)
    assert decision.variant == ("dropout" if recommendation == "ship" else None)
    assert decision.reasons[-1].startswith(f"Other variants answered 100.0% of {THREE.arms[dead]}'s requests")


def test_labels_that_are_uneven_since_an_arm_is_dead_are_explained() -> None:
    """Unpaired, the labels of stand-ins' answers count for no arm."""
    dead = unpaired_phase([9, 0], [150, 0], units=(150, 150), exposures=(150, 150), stand_ins=(0, 150))
    decision = decided([dead], UNPAIRED)
    assert decision.recommendation == "unhealthy"
    assert decision.reasons[0].startswith("The arms got 150 : 0 labelled units")
    assert decision.reasons[1].startswith("Other variants answered 100.0% of dropout's requests")


def test_a_difference_without_a_direction_is_no_reason_to_ship() -> None:
    turning = [mcnemar(900, 10, 60), mcnemar(900, 60, 10)]
    assert decided(turning).recommendation == "continue"
    opposed = units_phase([(1, 1, 0, True)] * 60 + [(1, 0, 1, False)] * 20 + [(500, 0, 90, False)] * 5)
    decision = decided([opposed])
    assert decision.recommendation == "continue"
    assert decision.reasons[0].endswith(
        "units and images favour different arms: find the units with most of the images."
    )
    late = unpaired_phase([60, 120], [6000, 60_000], units=(60_000, 60_000), mature=(100, 100))
    reported = decided([late], UNPAIRED)
    assert reported.recommendation == "continue"
    assert "favour different arms: find why labels are uneven." in reported.reasons[0]


def test_a_new_phase_heals() -> None:
    sick = replace(WORSE, units=(5000, 4000))
    assert decided([sick]).recommendation == "unhealthy"
    assert decided([sick, BETTER]).recommendation == "ship"
    assert decided([BETTER, sick]).recommendation == "unhealthy"


def test_unpaired_is_told_in_errors() -> None:
    decision = decided([unpaired_phase([120, 60], [6000, 6000])], UNPAIRED)
    assert (decision.recommendation, decision.variant) == ("ship", "dropout")
    assert "dropout made 60 labelled errors, l2 120 (" in decision.reasons[0]


def test_a_shadow_needs_paired_answers() -> None:
    decision = decided([unpaired_phase([120, 0], [6000, 0], weights=(1.0, 0.0))], UNPAIRED)
    assert (decision.recommendation, decision.variant) == ("continue", None)
    assert decision.reasons[0].startswith(
        "dropout and l2 cannot be compared: an unpaired experiment needs a weight above 0 for both."
    )


@pytest.mark.parametrize(
    ("masks", "recommendation", "variant"),
    [
        ({0b111: 9000, 0b110: 60, 0b001: 20, 0b100: 30}, "ship", "dropout"),  # both better, dropout more so
        ({0b111: 9000, 0b001: 30, 0b011: 40, 0b110: 18}, "continue", None),  # dropout worse, l2 open
        ({0b111: 9000, 0b001: 90, 0b011: 20, 0b110: 10}, "roll_back", "dropout"),
        ({0b111: 90_000, 0b001: 200, 0b110: 200}, "equivalent", None),
    ],
)
def test_of_three_arms(masks: dict[int, int], recommendation: str, variant: str | None) -> None:
    decision = decided([paired_phase(masks, arms=3)], THREE)
    assert (decision.recommendation, decision.variant) == (recommendation, variant)
    assert len(decision.reasons) == 2
