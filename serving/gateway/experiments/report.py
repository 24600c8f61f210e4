"""Build the report of an experiment: counts, evidence, recommendation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from serving.gateway import moments
from serving.gateway.experiments.checks import MOST_STAND_INS, Check, StandIns, check_health
from serving.gateway.experiments.comparison import Comparison, compare
from serving.gateway.experiments.decision import decide, own_answers
from serving.gateway.experiments.guardrails import GuardrailState, watch_guardrails
from serving.gateway.experiments.maturity import too_early
from serving.gateway.experiments.notes import notes, skewed
from serving.gateway.experiments.outcomes import Design, Latency, PhaseCounts
from serving.gateway.experiments.sequential import e_value, share_sequence


def build_report(
    design: Design,
    phases: Sequence[PhaseCounts],
    latencies: Sequence[Latency | None],
    status: str,
    as_of: datetime,
    first_phase: int = 1,
    began: float | None = None,
    till: datetime | None = None,
    exposed: int | None = None,
) -> dict[str, Any]:
    """Return the report as JSON values; `latencies` are by arm, `as_of` has a time zone.

    `phases` are in their order, the first of them with the number `first_phase`, which `began` at a time in seconds.
    The experiment ran `till` then, `as_of` where that is None. `exposed` units were in it, else those of all phases.
    """
    health = check_health(design, phases, first_phase)
    guardrails = watch_guardrails(design, health.fit)
    comparisons = [compare(design, health.fit, arm) for arm in range(len(design.arms)) if arm != design.control]
    seen = sum(sum(phase.units) for phase in phases) if exposed is None else exposed
    early = too_early(design, seen, began, till or as_of)
    decision = decide(design, health, guardrails, comparisons, sum(phase.deciding for phase in phases), early)
    return {
        "experiment": design.name,
        "phase": first_phase + len(phases) - 1,
        "status": status,
        "as_of": moments.written(as_of.timestamp(), "seconds"),
        "design": "paired" if design.paired else "unpaired",
        "checks": {
            "srm": _check(health.split),
            "label_rate": _check(health.label_rate),
            "label_sample": _check(health.label_sample),
            "stand_ins": _stand_ins(health.stand_ins),
        },
        "counts": _counts(phases),
        "arms": [_arm(design, phases, latencies[arm], arm) | _accuracy(design, health.fit, arm)
                 for arm in range(len(design.arms))],
        "comparisons": [_comparison(design, c, judged=not early and own_answers(design, health, c))
                        for c in comparisons],
        "guardrails": [_guardrail(design, state) for state in guardrails],
        "notes": notes(design, phases, health, guardrails),
        "decision": {
            "recommendation": decision.recommendation,
            "variant": decision.variant,
            "reasons": list(decision.reasons),
        },
    }  # fmt: skip


def _check(check: Check) -> dict[str, Any]:
    return {"e": e_value(check.log_e), "p": check.p, "ok": check.ok}


def _stand_ins(found: StandIns) -> dict[str, Any]:
    return {"share": found.most, "most": MOST_STAND_INS, "ok": found.ok}


def _counts(phases: Sequence[PhaseCounts]) -> dict[str, int]:
    return {
        "units": sum(sum(phase.units) for phase in phases),
        "labelled": sum(phase.labels for phase in phases),
        "volunteered": sum(phase.volunteered for phase in phases),
        "compared": sum(phase.compared for phase in phases),
        "disagreements": sum(phase.disagreements for phase in phases),
        "labelled_disagreements": sum(phase.labelled_disagreements for phase in phases),
        "unreadable": sum(phase.unreadable for phase in phases),
        "repeats": sum(phase.repeats for phase in phases),
        "without_answers": sum(phase.without_answers for phase in phases),
    }


def _arm(design: Design, phases: Sequence[PhaseCounts], latency: Latency | None, arm: int) -> dict[str, Any]:
    """Report the traffic of an arm in all phases."""
    requests = sum(phase.requests[arm] for phase in phases)
    return {
        "variant": design.arms[arm],
        "control": arm == design.control,
        "weight": phases[-1].weights[arm] if phases else None,
        "units": sum(phase.units[arm] for phase in phases),
        "p50_ms": latency.p50_ms if latency else None,
        "p99_ms": latency.p99_ms if latency else None,
        "error_rate": sum(phase.failures[arm] for phase in phases) / requests if requests else None,
        "stand_ins": sum(phase.stand_ins[arm] for phase in phases),
    }


def _accuracy(design: Design, phases: Sequence[PhaseCounts], arm: int) -> dict[str, Any]:
    """Report an arm's accuracy over units with a trusted label, null where the labels are a biased subset."""
    if design.paired:
        firsts = [item for phase in phases for item in phase.firsts.items()]
        n = sum(count for (answered, _), count in firsts if answered >> arm & 1)
        right = sum(count for (answered, correct), count in firsts if answered & correct & 1 << arm)
    else:
        n = sum(phase.labelled[arm] for phase in phases)
        right = n - sum(phase.errors[arm] for phase in phases)
    shown = n and not skewed(design, phases)
    return {
        "n": n,
        "accuracy": right / n if shown else None,
        "ci": share_sequence(right, n, design.alpha) if shown else None,
    }


def _comparison(design: Design, c: Comparison, *, judged: bool) -> dict[str, Any]:
    """Report one comparison; unpaired, its cases are errors. Without `judged` it has no verdict."""
    names = ("only_variant_right", "only_control_right") if design.paired else ("control_errors", "variant_errors")
    return {
        "variant": design.arms[c.arm],
        "vs": design.arms[design.control],
        names[0]: c.for_variant,
        names[1]: c.for_control,
        "units": c.units,
        "firsts": c.firsts,
        "volunteered": c.volunteered,
        "n": round(c.n),
        "diff": c.difference,
        "cs": c.sequence,
        "e_value": e_value(c.log_e),
        "p_anytime": c.p_anytime,
        "e_threshold": c.threshold,
        "significant": c.significant,
        "verdict": c.verdict(design.margin) if judged else "undecided",
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
        "comparable": state.comparable,
        "state": "broken" if state.broken else "ok",
    }
