"""What the evidence recommends, and why, in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from serving.gateway.experiments.checks import UNHEALTHY_FROM, Check, GuardrailState
from serving.gateway.experiments.comparison import Comparison
from serving.gateway.experiments.outcomes import Facts
from serving.gateway.experiments.sequential import e_value


@dataclass(frozen=True)
class Decision:
    """A recommendation, the variant it is about where it is about one, and the reasons.

    `recommendation` is one of `unhealthy`, `guardrail_broken`, `ship`, `roll_back`, `equivalent`, `inconclusive` and
    `continue`.
    """

    recommendation: str
    variant: str | None
    reasons: tuple[str, ...]


def decide(
    facts: Facts,
    checks: Sequence[tuple[str, Check]],
    guardrails: Sequence[GuardrailState],
    comparisons: Sequence[Comparison],
    labels: int,
) -> Decision:
    """Decide by the first rule that applies; `checks` come with the name of what they count, `labels` is their number.

    With several variants the best of those that beat control ships; a roll back waits until none is undecided.
    """
    if failed := [(name, check) for name, check in checks if not check.ok]:
        return Decision("unhealthy", None, tuple(_unhealthy(name, check) for name, check in failed))
    if broken := [state for state in guardrails if state.broken]:
        worst = max(broken, key=lambda state: state.log_e)
        return Decision("guardrail_broken", facts.arms[worst.arm], tuple(_broken(facts, state) for state in broken))
    verdicts = [c.verdict(facts.margin) for c in comparisons]
    reasons = tuple(_reason(facts, c, verdict) for c, verdict in zip(comparisons, verdicts, strict=True))
    for recommendation, verdict in (("ship", "better"), ("roll_back", "worse")):
        found = [c for c, v in zip(comparisons, verdicts, strict=True) if v == verdict]
        if found and (verdict == "better" or "undecided" not in verdicts):
            clearest = max(found, key=lambda c: abs(c.difference or 0.0))
            return Decision(recommendation, facts.arms[clearest.arm], reasons)
    if "undecided" not in verdicts:
        return Decision("equivalent", None, reasons)
    if labels >= facts.max_labels:
        spent = f"All {facts.max_labels:,} labels that the experiment was given are in, and they do not decide it."
        return Decision("inconclusive", None, (spent, *reasons))
    return Decision("continue", None, reasons)


def _unhealthy(name: str, check: Check) -> str:
    seen = " : ".join(f"{n:,}" for n in check.seen)
    expected = " : ".join(f"{n:,.0f}" for n in check.expected)
    return (
        f"The {name} fell to the arms as {seen} where the weights ask for {expected} (E = {e_value(check.log_e):.3g}; "
        f"{UNHEALTHY_FROM:,.0f} is beyond chance). Find the cause first: until then trust no other figure here."
    )


def _broken(facts: Facts, state: GuardrailState) -> str:
    rail, variant = state.guardrail, facts.arms[state.arm]
    what = "requests failed" if rail.metric == "error_rate" else f"requests took more than {rail.threshold_ms:g} ms"
    return (
        f"{state.for_variant:,} {what} with {variant}, {state.for_control:,} with {facts.arms[facts.control]}: beyond "
        f"the {rail.margin:.0%} more that its guardrail allows (E = {e_value(state.log_e):.3g}, "
        f"{state.threshold:.3g} needed)."
    )


def _reason(facts: Facts, c: Comparison, verdict: str) -> str:
    """Say what is known of one variant against control."""
    variant, control = facts.arms[c.arm], facts.arms[facts.control]
    if not c.possible:
        return (
            f"{variant} and {control} cannot be compared: without paired answers both need a weight above 0, so that "
            "chance decides who answers. Make a paired experiment, or give both a weight."
        )
    cases = f"{variant} alone was right on {c.for_variant:,} images, {control} alone on {c.for_control:,}"
    if not facts.paired:
        cases = f"{variant} made {c.for_control:,} labelled errors, {control} {c.for_variant:,}"
    evidence = f"evidence for a difference E = {e_value(c.log_e):.3g}, {c.threshold:.3g} needed"
    if verdict == "equivalent":
        return f"{variant} is as accurate as {control} to within {_points(facts.margin)}{_range(c)}: {cases}."
    if verdict == "undecided":
        return f"{variant} is not told apart from {control} yet: {cases} ({evidence}). {_outlook(facts, c)}"
    by = _points(abs(c.difference or 0.0))
    return f"{variant} is {verdict} than {control} by {by}{_range(c)}: {cases} ({evidence})."


def _points(share: float) -> str:
    return f"{100 * share:.2f} percentage points"


def _range(c: Comparison) -> str:
    """Give the sequence, as accuracy gained."""
    if c.sequence is None:
        return ""
    return f" (accuracy changes by {100 * c.sequence[0]:+.2f} to {100 * c.sequence[1]:+.2f}, valid at any time)"


def _outlook(facts: Facts, c: Comparison) -> str:
    """Say what it would take to decide."""
    if c.significant:
        return "They differ, but not in one direction throughout: see what changed between the phases."
    kind = "images on which one alone is right" if facts.paired else "labelled errors"
    if not c.for_variant + c.for_control:
        return f"No {kind} have been labelled yet."
    if c.cases_to_go is None:
        return f"As {kind} are split now, more of them would not decide it soon."
    return f"If they go on as until now, about {c.cases_to_go:,} more {kind} decide it."
