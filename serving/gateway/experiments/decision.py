"""Turn evidence into a recommendation."""

from collections.abc import Sequence
from dataclasses import dataclass

from serving.gateway.experiments import reasons
from serving.gateway.experiments.checks import Health
from serving.gateway.experiments.comparison import Comparison
from serving.gateway.experiments.guardrails import GuardrailState
from serving.gateway.experiments.outcomes import Design


@dataclass(frozen=True)
class Decision:
    """A recommendation, its variant if it has one, and its reasons.

    `recommendation` is one of `unhealthy`, `guardrail_broken`, `ship`, `roll_back`, `equivalent`, `inconclusive` and
    `continue`.
    """

    recommendation: str
    variant: str | None
    reasons: tuple[str, ...]


def decide(
    design: Design, health: Health, guardrails: Sequence[GuardrailState], comparisons: Sequence[Comparison],
    labels: int, early: str | None = None,
) -> Decision:  # fmt: skip
    """Decide by the first rule that applies; `labels` is the number of labels that decide.

    While stand-ins answer for an arm, its accuracy decides nothing. Nor does any while it is too `early`, which says
    why.
    """
    stood_in = reasons.stood_in_for(design, health.stand_ins)
    if failed := health.failed:
        return Decision("unhealthy", None, (*(reasons.unhealthy(check) for check in failed), *stood_in))
    if broken := [state for state in guardrails if state.broken]:
        worst = max(broken, key=lambda state: state.log_e)
        return Decision(
            "guardrail_broken", design.arms[worst.arm], tuple(reasons.broken(design, state) for state in broken)
        )
    if early:
        told = tuple(reasons.compared(design, c, "undecided") for c in comparisons)
        return Decision("continue", None, (early, *told, *stood_in))
    judged = [c for c in comparisons if own_answers(design, health, c)]
    return _by_accuracy(design, judged, len(comparisons) - len(judged), stood_in, labels)


def own_answers(design: Design, health: Health, comparison: Comparison) -> bool:
    """Say whether a variant and control have answered for themselves, so that their accuracy can be judged."""
    return health.stand_ins.own(comparison.arm, design.control)


def _by_accuracy(
    design: Design, comparisons: Sequence[Comparison], not_judged: int, stood_in: tuple[str, ...], labels: int
) -> Decision:
    """Decide by the comparisons; others are `not_judged`, since `stood_in` says who answered.

    Of several variants that beat control the best ships. A roll back waits until no variant is undecided.
    """
    verdicts = [c.verdict(design.margin) for c in comparisons]
    open_ones = not_judged + verdicts.count("undecided")
    told = *(reasons.compared(design, c, verdict) for c, verdict in zip(comparisons, verdicts, strict=True)), *stood_in
    for recommendation, verdict in (("ship", "better"), ("roll_back", "worse")):
        found = [c for c, v in zip(comparisons, verdicts, strict=True) if v == verdict]
        if found and (verdict == "better" or not open_ones):
            clearest = max(found, key=lambda c: abs(c.decisive or 0.0))
            return Decision(recommendation, design.arms[clearest.arm], told)
    if not open_ones:
        return Decision("equivalent", None, told)
    if labels >= design.max_labels and not not_judged:
        return Decision("inconclusive", None, (reasons.spent(design), *told))
    return Decision("continue", None, told)
