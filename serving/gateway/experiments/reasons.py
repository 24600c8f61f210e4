"""Explain a recommendation in sentences."""

from serving.gateway.experiments.checks import MOST_STAND_INS, Check, StandIns
from serving.gateway.experiments.comparison import Comparison
from serving.gateway.experiments.guardrails import GuardrailState
from serving.gateway.experiments.outcomes import Design
from serving.gateway.experiments.sequential import e_value


def unhealthy(check: Check) -> str:
    """Explain a failed check."""
    evidence = f"(E = {e_value(check.log_e):.3g}, {check.threshold:,.0f} is beyond chance)"
    if not check.seen:
        return (
            f"The {check.subject} differ from the unlabelled ones {evidence}. Trust no other figure here. Label the "
            "queue in its own order, mark unreadable images rather than skip them, and send the truth of all images."
        )
    seen = " : ".join(f"{n:,}" for n in check.seen)
    expected = " : ".join(f"{n:,.0f}" for n in check.expected)
    return (
        f"The arms got {seen} {check.subject}; the weights ask for {expected} {evidence}. Find the cause first: until "
        "then trust no other figure here. A change of weights then opens a new phase, which is checked by itself."
    )


def broken(design: Design, state: GuardrailState) -> str:
    """Explain a broken guardrail."""
    rail, variant = state.guardrail, design.arms[state.arm]
    control = design.arms[design.control]
    what = "requests failed" if rail.metric == "error_rate" else f"requests took more than {rail.threshold_ms:g} ms"
    return (
        f"{state.for_variant:,} {what} with {variant}, {state.for_control:,} with {control}: more than the "
        f"{rail.margin:.0%} that the guardrail allows (E = {e_value(state.log_e):.3g}, {state.threshold:.3g} needed)."
    )


def stood_in_for(design: Design, stand_ins: StandIns) -> tuple[str, ...]:
    """Explain why accuracy is not judged, for each arm that others answer for."""
    return tuple(
        f"Other variants answered {share:.1%} of {arm}'s requests, and {MOST_STAND_INS:.0%} is the most. Accuracy is "
        f"not judged. Repair {arm}, then start a new experiment, or go on until the share has fallen."
        for arm, share in zip(design.arms, stand_ins.shares, strict=True)
        if share > MOST_STAND_INS
    )


def spent(design: Design) -> str:
    """Say that the budget of labels is used up."""
    return f"All {design.max_labels:,} labels of the experiment's budget are in, and they do not decide it."


def compared(design: Design, c: Comparison, verdict: str) -> str:
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
    by = _points(abs(c.decisive or 0.0))
    return f"{variant} is {verdict} than {control} by {by}{_range(c)}: {cases} ({evidence})."


def _points(share: float) -> str:
    return f"{100 * share:.2f} percentage points"


def _range(c: Comparison) -> str:
    """Return the confidence sequence in words, as accuracy gained; none where labels of users inform it."""
    if c.sequence is None or c.volunteered:
        return ""
    return f" (accuracy changes by {100 * c.sequence[0]:+.2f} to {100 * c.sequence[1]:+.2f}, valid at any time)"


def _outlook(design: Design, c: Comparison) -> str:
    """Forecast the cases that a decision still needs."""
    if c.significant and design.paired:
        return "They differ, but units and images favour different arms: find the units with most of the images."
    if c.significant:
        return "They differ, but errors by weight and by label favour different arms: find why labels are uneven."
    kind = "images on which one alone is right" if design.paired else "labelled errors"
    if not c.deciding:
        return f"No {kind} have been labelled yet{', but by users' if c.volunteered else ''}."
    if c.cases_to_go is None:
        return f"At the present split of {kind}, more of them would not decide it soon."
    return f"At the present split, about {c.cases_to_go:,} more {kind} decide it."
