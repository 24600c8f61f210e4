"""Watch the guardrails: whether a variant fails, or is slow, more often than allowed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from serving.gateway.experiments.outcomes import Design, Guardrail, PhaseCounts
from serving.gateway.experiments.sequential import log_e_above, log_mean


@dataclass(frozen=True)
class GuardrailState:
    """A guardrail of one variant: its cases, those of control, and log E against "within the margin".

    `comparable` is false while no weights have exposed both arms to requests of one kind.
    """

    guardrail: Guardrail
    arm: int
    for_variant: int
    for_control: int
    log_e: float
    threshold: float
    comparable: bool

    @property
    def broken(self) -> bool:
        """Whether the variant exceeds the margin; any false alarm of all guardrails has probability α at most."""
        return self.log_e >= math.log(self.threshold)


@dataclass(frozen=True)
class _Stratum:
    """The cases of a variant and of control in requests of one kind, and log E."""

    for_variant: int
    for_control: int
    log_e: float


def watch_guardrails(design: Design, phases: Sequence[PhaseCounts]) -> list[GuardrailState]:
    """Test every guardrail for every variant but control; together they are at level α."""
    states = [(rail, arm) for rail in design.guardrails for arm in range(len(design.arms)) if arm != design.control]
    return [_watch(design, phases, rail, arm, len(states) / design.alpha) for rail, arm in states]


def _watch(
    design: Design, phases: Sequence[PhaseCounts], rail: Guardrail, arm: int, threshold: float
) -> GuardrailState:
    """Compare like with like: served requests, and shadow requests; average the E of both."""
    served = _stratum(phases, rail, arm, design.control, shadow=False)
    shadow = _stratum(phases, rail, arm, design.control, shadow=True) if design.paired else None
    strata = [stratum for stratum in (served, shadow) if stratum]
    return GuardrailState(
        rail, arm, sum(s.for_variant for s in strata), sum(s.for_control for s in strata),
        log_mean([s.log_e for s in strata]) if strata else 0.0, threshold, bool(strata),
    )  # fmt: skip


def _stratum(
    phases: Sequence[PhaseCounts], rail: Guardrail, arm: int, control: int, *, shadow: bool
) -> _Stratum | None:
    """Multiply E over the phases whose weights expose both arms; return None without any.

    The odds of a case are those at equal rates of failure, times the margin.
    """
    found = []
    for phase in phases:
        ratio = _exposure_ratio(phase, arm, control, shadow=shadow)
        if ratio is not None:
            cases = phase.slow if rail.metric == "slow" else phase.failed
            counts = cases.shadow if shadow else cases.served
            log_e = log_e_above(counts[arm], counts[control], (1 + rail.margin) * ratio)
            found.append(_Stratum(counts[arm], counts[control], log_e))
    if not found:
        return None
    return _Stratum(sum(s.for_variant for s in found), sum(s.for_control for s in found), sum(s.log_e for s in found))


def _exposure_ratio(phase: PhaseCounts, arm: int, control: int, *, shadow: bool) -> float | None:
    """Return how many times as many cases as control the arm has at equal rates of failure; None if not comparable.

    A fault may belong to a request or to a whole call to the model server. In the first case, cases come in proportion
    to units: a unit is exposed to an arm's served requests with the arm's weight, to its shadow requests with the rest.
    In the second, they come in proportion to calls. The busier of two arms has more requests in a call, so calls differ
    less than units. The larger of both ratios bounds the odds of a case, wherever the faults belong.
    """
    units = [1 - phase.weights[i] if shadow else phase.weights[i] for i in (arm, control)]
    if not all(units):
        return None
    counts = phase.calls.shadow if shadow else phase.calls.served
    calls = [counts[i] for i in (arm, control)]
    return max(of_arm / of_control for of_arm, of_control in (units, calls) if of_arm and of_control)
