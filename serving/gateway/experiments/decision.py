"""Turn evidence into a recommendation, with its reasons in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from serving.gateway.experiments.checks import UNHEALTHY_FROM, Check, GuardrailState
from serving.gateway.experiments.comparison import Comparison
from serving.gateway.experiments.outcomes import Design
from serving.gateway.experiments.sequential import e_value


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
    design: Design,
    checks: Sequence[tuple[str, Check]],
    guardrails: Sequence[GuardrailState],
    comparisons: Sequence[Comparison],
    labels: int,
) -> Decision:
    """Decide by the first rule that applies; `checks` come with the names of their cases, `labels` is a number.

    Of several variants that beat control the best ships. A roll back waits until no variant is undecided.
    """
    if failed := [(name, check) for name, check in checks if not check.ok]:
        return Decision("unhealthy", None, tuple(_unhealthy(name, check) for name, check in failed))
    if broken := [state for state in guardrails if state.broken]:
        worst = max(broken, key=lambda state: state.log_e)
        return Decision("guardrail_broken", design.arms[worst.arm], tuple(_broken(design, state) for state in broken))
    verdicts = [c.verdict(design.margin) for c in comparisons]
    reasons = tuple(_reason(design, c, verdict) for c, verdict in zip(comparisons, verdicts, strict=True))
    for recommendation, verdict in (("ship", "better"), ("roll_back", "worse")):
        found = [c for c, v in zip(comparisons, verdicts, strict=True) if v == verdict]
        if found and (verdict == "better" or "undecided" not in verdicts):
            clearest = max(found, key=lambda c: abs(c.difference or 0.0))
            return Decision(recommendation, design.arms[clearest.arm], reasons)
    if "undecided" not in verdicts:
        return Decision("equivalent", None, reasons)
    if labels >= design.max_labels:
        spent = f"All {design.max_labels:,} labels of the experiment's budget are in, and they do not decide it."
        return Decision("inconclusive", None, (spent, *reasons))
    return Decision("continue", None, reasons)


def _unhealthy(name: str, check: Check) -> str:
    seen = " : ".join(f"{n:,}" for n in check.seen)
    expected = " : ".join(f"{n:,.0f}" for n in check.expected)
    return (
        f"The arms got {seen} {name}; the weights ask for {expected} (E = {e_value(check.log_e):.3g}, "
        f"{UNHEALTHY_FROM:,.0f} is beyond chance). Find the cause first: until then trust no other figure here."
    )


def _broken(design: Design, state: GuardrailState) -> str:
    rail, variant = state.guardrail, design.arms[state.arm]
    control = design.arms[design.control]
    what = "requests failed" if rail.metric == "error_rate" else f"requests took more than {rail.threshold_ms:g} ms"
    return (
        f"{state.for_variant:,} {what} with {variant}, {state.for_control:,} with {control}: more than the "
        f"{rail.margin:.0%} that the guardrail allows (E = {e_value(state.log_e):.3g}, {state.threshold:.3g} needed)."
    )


def _reason(design: Design, c: Comparison, verdict: str) -> str:
    """Explain the verdict on one variant against control."""
    variant, control = design.arms[c.arm], design.arms[design.control]
    if not c.possible:
        return (
            f"{variant} and {control} cannot be compared: an unpaired experiment needs a weight above 0 for both. "
            "Make a paired experiment, or give both a weight."
        )
    cases = f"{variant} alone was right on {c.for_variant:,} images, {control} alone on {c.for_control:,}"
    if not design.paired:
        cases = f"{variant} made {c.for_control:,} labelled errors, {control} {c.for_variant:,}"
    evidence = f"evidence for a difference E = {e_value(c.log_e):.3g}, {c.threshold:.3g} needed"
    if verdict == "equivalent":
        return f"{variant} is as accurate as {control} to within {_points(design.margin)}{_range(c)}: {cases}."
    if verdict == "undecided":
        return f"{variant} and {control} are undecided yet: {cases} ({evidence}). {_outlook(design, c)}"
    by = _points(abs(c.difference or 0.0))
    return f"{variant} is {verdict} than {control} by {by}{_range(c)}: {cases} ({evidence})."


def _points(share: float) -> str:
    return f"{100 * share:.2f} percentage points"


def _range(c: Comparison) -> str:
    """Return the confidence sequence in words, as accuracy gained."""
    if c.sequence is None:
        return ""
    return f" (accuracy changes by {100 * c.sequence[0]:+.2f} to {100 * c.sequence[1]:+.2f}, valid at any time)"


def _outlook(design: Design, c: Comparison) -> str:
    """Forecast the cases that a decision still needs."""
    if c.significant:
        return "They differ, but in opposite directions in different phases: find the change between the phases."
    kind = "images on which one alone is right" if design.paired else "labelled errors"
    if not c.for_variant + c.for_control:
        return f"No {kind} have been labelled yet."
    if c.cases_to_go is None:
        return f"At the present split of {kind}, more of them would not decide it soon."
    return f"At the present split, about {c.cases_to_go:,} more {kind} decide it."
