"""Write the notes of a report: limits of its figures that a reader must know."""

from collections.abc import Iterator, Sequence

from serving.gateway.experiments.checks import Health
from serving.gateway.experiments.guardrails import GuardrailState
from serving.gateway.experiments.outcomes import Design, PhaseCounts
from serving.gateway.experiments.reasons import stood_in_for

SKEWED_FROM = 2.0  # share of disagreements among labelled images, relative to all images


def skewed(design: Design, phases: Sequence[PhaseCounts]) -> bool:
    """Whether labels come mostly from disagreements, so that accuracies describe the labelled images alone.

    Of trusted labels, since accuracies come from these.
    """
    disagreements, compared = sum(p.disagreements for p in phases), sum(p.compared for p in phases)
    labelled, labels = sum(p.trusted_disagreements for p in phases), sum(p.deciding for p in phases)
    return design.paired and labelled * compared > SKEWED_FROM * labels * disagreements


def notes(
    design: Design, phases: Sequence[PhaseCounts], health: Health, guardrails: Sequence[GuardrailState]
) -> list[str]:
    """Return the notes, the most important ones first."""
    return [*_on_phases(health), *_on_answers(design, health, guardrails), *_on_labels(design, phases, health)]


def _on_phases(health: Health) -> Iterator[str]:
    for number in health.left_out:
        yield f"Phase {number} is left out of the evidence: its units or labels do not follow its weights."


def _on_answers(design: Design, health: Health, guardrails: Sequence[GuardrailState]) -> Iterator[str]:
    if not health.stand_ins.ok:
        yield from stood_in_for(design, health.stand_ins)
    for state in guardrails:
        if health.fit and not state.comparable:
            variant, control = design.arms[state.arm], design.arms[design.control]
            needed = "weights between 0 and 1" if design.paired else "weights above 0"
            yield (
                f"The guardrail {state.guardrail.metric} cannot compare {variant} with {control}: give both {needed}."
            )


def _on_labels(design: Design, phases: Sequence[PhaseCounts], health: Health) -> Iterator[str]:
    if skewed(design, health.fit):
        yield (
            "Most labels are of images on which the arms disagree, the hard ones. Accuracies would describe these, not "
            "the traffic, and are left out. The differences between arms are scaled to the traffic."
        )
    if told := sum(pair.volunteered for phase in health.fit for pair in phase.pairs):
        yield (
            f"{told:,} labels of users inform the differences, and decide nothing. Label these images from the queue, "
            "or send the truth."
        )
    if repeats := sum(phase.repeats for phase in phases):
        yield f"{repeats:,} repeated images are left out: the same pixels count once in an experiment."
    if lost := sum(phase.without_answers for phase in phases):
        yield f"{lost:,} labels do not count: the answers to their images are missing or deleted."
