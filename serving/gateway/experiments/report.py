"""Build the report of an experiment: counts, evidence, recommendation."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from serving.gateway.experiments.checks import Check, GuardrailState, check_labels, check_split, watch_guardrails
from serving.gateway.experiments.comparison import Comparison, compare
from serving.gateway.experiments.decision import decide
from serving.gateway.experiments.outcomes import Design, Latency, PhaseCounts
from serving.gateway.experiments.sequential import e_value, p_anytime, wilson

SKEWED_FROM = 2.0  # share of disagreements among labelled images, relative to all images


def build_report(
    design: Design,
    phases: Sequence[PhaseCounts],
    latencies: Sequence[Latency | None],
    status: str,
    as_of: datetime,
) -> dict[str, Any]:
    """Return the report as JSON values; `phases` in their order, `latencies` by arm, `as_of` with a time zone."""
    split, label_rate = check_split(phases), check_labels(phases)
    guardrails = watch_guardrails(design, phases)
    comparisons = [compare(design, phases, arm) for arm in range(len(design.arms)) if arm != design.control]
    labels = sum(_labels(design, phase) for phase in phases)
    decision = decide(design, [("units", split), ("labelled units", label_rate)], guardrails, comparisons, labels)
    return {
        "experiment": design.name,
        "phase": len(phases),
        "status": status,
        "as_of": as_of.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "design": "paired" if design.paired else "unpaired",
        "checks": {"srm": _check(split), "label_rate": _check(label_rate)},
        "counts": {
            "units": sum(sum(phase.units) for phase in phases),
            "labelled": labels,
            "compared": sum(phase.compared for phase in phases),
            "disagreements": sum(phase.disagreements for phase in phases),
            "labelled_disagreements": sum(phase.labelled_disagreements for phase in phases),
        },
        "arms": [_arm(design, phases, latencies[arm], arm) for arm in range(len(design.arms))],
        "comparisons": [_comparison(design, c) for c in comparisons],
        "guardrails": [_guardrail(design, state) for state in guardrails],
        "notes": _notes(design, phases, labels),
        "decision": {
            "recommendation": decision.recommendation,
            "variant": decision.variant,
            "reasons": list(decision.reasons),
        },
    }


def _labels(design: Design, phase: PhaseCounts) -> int:
    return sum(phase.masks.values()) if design.paired else sum(phase.labelled)


def _check(check: Check) -> dict[str, Any]:
    return {"e": e_value(check.log_e), "p": p_anytime(check.log_e), "ok": check.ok}


def _arm(design: Design, phases: Sequence[PhaseCounts], latency: Latency | None, arm: int) -> dict[str, Any]:
    if design.paired:
        n = sum(_labels(design, phase) for phase in phases)
        right = sum(count for phase in phases for mask, count in phase.masks.items() if mask >> arm & 1)
    else:
        n = sum(phase.labelled[arm] for phase in phases)
        right = n - sum(phase.errors[arm] for phase in phases)
    requests = sum(phase.requests[arm] for phase in phases)
    return {
        "variant": design.arms[arm],
        "control": arm == design.control,
        "weight": phases[-1].weights[arm] if phases else None,
        "units": sum(phase.units[arm] for phase in phases),
        "n": n,
        "accuracy": right / n if n else None,
        "ci": wilson(right, n, design.alpha) if n else None,
        "p50_ms": latency.p50_ms if latency else None,
        "p99_ms": latency.p99_ms if latency else None,
        "error_rate": sum(phase.failures[arm] for phase in phases) / requests if requests else None,
    }


def _comparison(design: Design, c: Comparison) -> dict[str, Any]:
    """Report one comparison; unpaired, its cases are errors."""
    names = ("only_variant_right", "only_control_right") if design.paired else ("control_errors", "variant_errors")
    return {
        "variant": design.arms[c.arm],
        "vs": design.arms[design.control],
        names[0]: c.for_variant,
        names[1]: c.for_control,
        "n": round(c.n),
        "diff": c.difference,
        "cs": c.sequence,
        "e_value": e_value(c.log_e),
        "p_anytime": p_anytime(c.log_e),
        "e_threshold": c.threshold,
        "significant": c.significant,
        "verdict": c.verdict(design.margin),
        "cases_to_go": c.cases_to_go,
    }


def _guardrail(design: Design, state: GuardrailState) -> dict[str, Any]:
    return {
        "metric": state.guardrail.metric,
        "variant": design.arms[state.arm],
        "margin": state.guardrail.margin,
        "threshold_ms": state.guardrail.threshold_ms,
        "variant_count": state.for_variant,
        "control_count": state.for_control,
        "e_value": e_value(state.log_e),
        "e_threshold": state.threshold,
        "state": "broken" if state.broken else "ok",
    }


def _notes(design: Design, phases: Sequence[PhaseCounts], labels: int) -> list[str]:
    """Warn the reader where labels come mostly from disagreements."""
    disagreements, compared = sum(p.disagreements for p in phases), sum(p.compared for p in phases)
    labelled = sum(p.labelled_disagreements for p in phases)
    if design.paired and labelled * compared > SKEWED_FROM * labels * disagreements:
        return [
            "Most labels are of images on which the arms disagree, the hard ones. Accuracy and its interval describe "
            "the labelled images, not the traffic. The differences between arms are scaled to the traffic."
        ]
    return []
