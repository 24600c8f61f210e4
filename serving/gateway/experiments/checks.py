"""Check that an experiment is healthy, and watch its guardrails."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from serving.gateway.experiments.outcomes import Design, Guardrail, PhaseCounts
from serving.gateway.experiments.sequential import log_e_above, log_e_shares

CONCENTRATION = 100.0
UNHEALTHY_FROM = 1000.0  # E: far rarer than α, since a false alarm ends an experiment


@dataclass(frozen=True)
class Check:
    """The cases of each arm, their expected numbers, and log E against the expectation."""

    seen: tuple[int, ...]
    expected: tuple[float, ...]
    log_e: float

    @property
    def ok(self) -> bool:
        """Whether the cases are compatible with the weights."""
        return self.log_e < math.log(UNHEALTHY_FROM)


@dataclass(frozen=True)
class GuardrailState:
    """A guardrail of one variant: its cases, those of control, and log E against "within the margin"."""

    guardrail: Guardrail
    arm: int
    for_variant: int
    for_control: int
    log_e: float
    threshold: float

    @property
    def broken(self) -> bool:
        """Whether the variant exceeds the margin; a false alarm has probability α at most."""
        return self.log_e >= math.log(self.threshold)


def check_split(phases: Sequence[PhaseCounts]) -> Check:
    """Check that assigned units follow the weights (sample ratio mismatch)."""
    return _check([phase.weights for phase in phases], [phase.units for phase in phases])


def check_labels(phases: Sequence[PhaseCounts]) -> Check:
    """Check that labelled units follow the weights."""
    return _check([phase.weights for phase in phases], [phase.labelled_units for phase in phases])


def _check(weights: Sequence[tuple[float, ...]], counts: Sequence[tuple[int, ...]]) -> Check:
    totals = [sum(phase) for phase in counts]
    return Check(
        seen=tuple(map(sum, zip(*counts, strict=True))),
        expected=tuple(
            sum(n * share for n, share in zip(totals, arm, strict=True)) for arm in zip(*weights, strict=True)
        ),
        log_e=sum(log_e_shares(n, share, CONCENTRATION) for n, share in zip(counts, weights, strict=True)),
    )


def watch_guardrails(design: Design, phases: Sequence[PhaseCounts]) -> list[GuardrailState]:
    """Test every guardrail for every variant but control, each at level α."""
    return [
        _watch(design, phases, guardrail, arm)
        for guardrail in design.guardrails
        for arm in range(len(design.arms))
        if arm != design.control
    ]


def _watch(design: Design, phases: Sequence[PhaseCounts], guardrail: Guardrail, arm: int) -> GuardrailState:
    """Multiply the guardrail's E of all phases in which both the variant and control were asked."""
    for_variant = for_control = 0
    log_e = 0.0
    for phase in phases:
        counts = phase.slow if guardrail.metric == "slow" else phase.failures
        # Paired, every arm answers every image, so both are exposed alike whichever is served.
        asked = (1.0, 1.0) if design.paired else (phase.weights[arm], phase.weights[design.control])
        if all(asked):
            for_variant += counts[arm]
            for_control += counts[design.control]
            odds = (1 + guardrail.margin) * asked[0] / asked[1]
            log_e += log_e_above(counts[arm], counts[design.control], odds)
    return GuardrailState(guardrail, arm, for_variant, for_control, log_e, 1 / design.alpha)
