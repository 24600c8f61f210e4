"""The rules in their order, and what they say."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from serving.gateway.experiments.checks import check_labels, check_split, watch_guardrails
from serving.gateway.experiments.comparison import compare
from serving.gateway.experiments.decision import Decision, decide
from serving.gateway.experiments.outcomes import Design, PhaseCounts
from tests.gateway.experiments.counts import PAIRED, THREE, UNPAIRED, mcnemar, paired_phase, unpaired_phase

BETTER, WORSE = mcnemar(8910, 30, 60), mcnemar(8910, 60, 30)
SAME, EARLY = mcnemar(100_000, 300, 310), mcnemar(400, 3, 5)


def decided(phases: Sequence[PhaseCounts], design: Design = PAIRED) -> Decision:
    checks = [("units", check_split(phases)), ("labelled units", check_labels(phases))]
    comparisons = [compare(design, phases, arm) for arm in range(len(design.arms)) if arm != design.control]
    labels = sum(sum(phase.masks.values()) for phase in phases)
    return decide(design, checks, watch_guardrails(design, phases), comparisons, labels)


@pytest.mark.parametrize(
    ("phase", "recommendation", "variant", "reason"),
    [
        (
            replace(BETTER, units=(5000, 4000), failures=(0, 90)), "unhealthy", None,
            "The arms got 5,000 : 4,000 units; the weights ask for 4,500 : 4,500 (E = ",
        ),
        (replace(BETTER, labelled_units=(3000, 2000)), "unhealthy", None, "The arms got 3,000 : 2,000 labelled units"),
        (
            replace(BETTER, failures=(10, 90)), "guardrail_broken", "dropout",
            "90 requests failed with dropout, 10 with l2: more than the 50% that the guardrail allows (E = ",
        ),
        (
            replace(BETTER, slow=(10, 90)), "guardrail_broken", "dropout",
            "90 requests took more than 100 ms with dropout, 10 with l2: more than the 50%",
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
    decision = decided([paired_phase({}, arms=3, failures=(10, 60, 0), slow=(10, 0, 90))], design)
    assert (decision.variant, len(decision.reasons)) == ("dropout", 2)


def test_when_the_labels_are_spent_it_is_inconclusive() -> None:
    decision = decided([EARLY], replace(PAIRED, max_labels=408))
    assert decision.recommendation == "inconclusive"
    assert decision.reasons[0] == "All 408 labels of the experiment's budget are in, and they do not decide it."
    assert decided([EARLY], replace(PAIRED, max_labels=409)).recommendation == "continue"
    assert decided([BETTER], replace(PAIRED, max_labels=9)).recommendation == "ship"


def test_before_any_label_it_goes_on() -> None:
    for phases in ([], [mcnemar(0, 0, 0)]):
        decision = decided(phases)
        assert decision.recommendation == "continue"
        assert decision.reasons[0].endswith("No images on which one alone is right have been labelled yet.")


def test_a_difference_that_turns_between_phases_is_no_reason_to_ship() -> None:
    decision = decided([mcnemar(900, 10, 60), mcnemar(900, 60, 10)])
    assert decision.recommendation == "continue"
    assert decision.reasons[0].endswith(
        "but in opposite directions in different phases: find the change between the phases."
    )


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
