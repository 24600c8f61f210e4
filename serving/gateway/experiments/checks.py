"""Whether an experiment is fit to be judged, and whether a variant costs more than it may."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from serving.gateway.experiments.outcomes import Facts, Guardrail, PhaseCounts
from serving.gateway.experiments.sequential import log_e_above, log_e_shares

CONCENTRATION = 100.0
UNHEALTHY_FROM = 1000.0  # E: far rarer than α, for a false alarm ends an experiment


@dataclass(frozen=True)
class Check:
    """How the cases of a check fell to the arms, how they were expected to fall, and log E against that."""

    seen: tuple[int, ...]
    expected: tuple[float, ...]
    log_e: float

    @property
    def ok(self) -> bool:
        """Whether the cases fell as configured, as far as can be told."""
        return self.log_e < math.log(UNHEALTHY_FROM)


@dataclass(frozen=True)
class GuardrailState:
    """A guardrail for one variant: its cases, those of control, and log E against "within the margin"."""

    guardrail: Guardrail
    arm: int
    for_variant: int
    for_control: int
    log_e: float
    threshold: float

    @property
    def broken(self) -> bool:
        """Whether the variant is beyond the margin, wrongly said so with probability α at most."""
        return self.log_e >= math.log(self.threshold)


def check_split(phases: Sequence[PhaseCounts]) -> Check:
    """Check that units were assigned in proportion to the weights (sample ratio mismatch)."""
    return _check([phase.weights for phase in phases], [phase.units for phase in phases])


def check_labels(phases: Sequence[PhaseCounts]) -> Check:
    """Check that labels were given to the units of all arms alike."""
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


def watch_guardrails(facts: Facts, phases: Sequence[PhaseCounts]) -> list[GuardrailState]:
    """Look at every guardrail for every variant but control, each at level α of its own."""
    return [
        _watch(facts, phases, guardrail, arm)
        for guardrail in facts.guardrails
        for arm in range(len(facts.arms))
        if arm != facts.control
    ]


def _watch(facts: Facts, phases: Sequence[PhaseCounts], guardrail: Guardrail, arm: int) -> GuardrailState:
    """Multiply the guardrail's E of all phases in which both the variant and control were asked."""
    for_variant = for_control = 0
    log_e = 0.0
    for phase in phases:
        counts = phase.slow if guardrail.metric == "slow" else phase.failures
        # Paired, every arm is asked about every image, so both are exposed alike whoever is served.
        asked = (1.0, 1.0) if facts.paired else (phase.weights[arm], phase.weights[facts.control])
        if all(asked):
            for_variant += counts[arm]
            for_control += counts[facts.control]
            odds = (1 + guardrail.margin) * asked[0] / asked[1]
            log_e += log_e_above(counts[arm], counts[facts.control], odds)
    return GuardrailState(guardrail, arm, for_variant, for_control, log_e, 1 / facts.alpha)
