"""The evidence of an unpaired experiment: labelled errors of two arms, each on units of its own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from serving.gateway.experiments.outcomes import PhaseCounts
from serving.gateway.experiments.sequential import log_e_shares

CONCENTRATION = 50.0
SEQUENCE_FROM = 10  # errors in each arm: with fewer, the asymptotic sequence misses a small arm's error rate


@dataclass(frozen=True)
class Errors:
    """The errors and labelled units of control and a variant in one phase.

    A case for an arm is an error of the other. `odds` are those of a case for the variant if the two are equal.
    """

    wrong: tuple[int, int]
    labelled: tuple[int, int]
    odds: float

    def log_e(self, for_variant: int = 0, for_control: int = 0) -> float:
        """Return log E against equal arms, after these further cases.

        The smaller one of two: that errors fall as the weights, and that they fall as the labels so far. The first is
        exact where labels come evenly. The second holds where those of one arm come later.
        """
        counts = self.wrong[0] + for_variant, self.wrong[1] + for_control
        by_weight = log_e_shares(counts, (self.odds, 1), CONCENTRATION)
        if not all(self.labelled):  # a forecast takes future labels to fall as the weights
            return by_weight if for_variant + for_control else min(by_weight, 0.0)
        return min(by_weight, log_e_shares(counts, self.labelled, CONCENTRATION))

    @cached_property
    def log_e_so_far(self) -> float:
        """Return log E against equal arms."""
        return self.log_e()

    @property
    def lean(self) -> float:
        """Return the cases for the variant beyond those expected of equal arms."""
        return self.wrong[0] - sum(self.wrong) * self.odds / (1 + self.odds)

    @property
    def precision(self) -> float:
        """Return the weight of Mantel and Haenszel, n0·n1/(n0 + n1)."""
        return math.prod(self.labelled) / sum(self.labelled) if all(self.labelled) else 0.0

    @property
    def difference(self) -> float:
        """Return control's error rate less the variant's; both have labels."""
        return self.wrong[0] / self.labelled[0] - self.wrong[1] / self.labelled[1]

    @property
    def variance(self) -> float:
        """Return the variance of the difference."""
        rates = [(wrong / n, n) for wrong, n in zip(self.wrong, self.labelled, strict=True)]
        return sum(rate * (1 - rate) / n for rate, n in rates)


@dataclass(frozen=True)
class UnpairedEvidence:
    """The phases in which both arms are served; their E multiply, since their weights may differ.

    `variance` is that of `difference`, the accuracy of the variant less that of control, which comes from `n` units; 0
    where unknown.
    """

    phases: tuple[Errors, ...]
    possible: bool
    n: int
    difference: float | None
    variance: float

    units = None
    volunteered = 0
    by_trusted = None

    @property
    def deciding(self) -> int:
        """Return the number of cases that decide: all of them."""
        return self.for_variant + self.for_control

    @property
    def for_variant(self) -> int:
        """Return the errors of control."""
        return sum(phase.wrong[0] for phase in self.phases)

    @property
    def for_control(self) -> int:
        """Return the errors of the variant."""
        return sum(phase.wrong[1] for phase in self.phases)

    @property
    def lean(self) -> float:
        """Return the cases for the variant beyond those expected of equal arms."""
        return sum(phase.lean for phase in self.phases)

    @property
    def enough(self) -> bool:
        """Whether the asymptotic sequence holds."""
        return min(self.for_variant, self.for_control) >= SEQUENCE_FROM

    def log_e(self, more: int = 0) -> float:
        """Return log E against equal arms, after `more` cases at the weights of the last phase and the present split.

        The present split is the odds ratio of all phases by Mantel and Haenszel, whatever their weights.
        """
        log_e = sum(phase.log_e_so_far for phase in self.phases)
        if not more:
            return log_e
        last = self.phases[-1]
        better = sum(phase.wrong[0] / (1 + phase.odds) for phase in self.phases) * last.odds
        worse = sum(phase.wrong[1] * phase.odds / (1 + phase.odds) for phase in self.phases)
        for_variant = round(more * better / (better + worse))
        return log_e - last.log_e_so_far + last.log_e(for_variant, more - for_variant)


def unpaired_evidence(phases: Sequence[PhaseCounts], arm: int, control: int) -> UnpairedEvidence:
    """Collect the errors of `arm` and `control`, and pool their differences by precision."""
    found = tuple(
        Errors(
            (phase.errors[control], phase.errors[arm]),
            (phase.labelled[control], phase.labelled[arm]),
            phase.weights[control] / phase.weights[arm],  # an error of control is a case for the variant
        )
        for phase in phases
        if phase.weights[arm] and phase.weights[control]
    )
    possible, told = bool(found) or not phases, [phase for phase in found if phase.precision]
    if not told:
        return UnpairedEvidence(found, possible, 0, None, 0.0)
    total = sum(phase.precision for phase in told)
    return UnpairedEvidence(
        found, possible, sum(sum(phase.labelled) for phase in told),
        sum(phase.precision * phase.difference for phase in told) / total,
        sum(phase.precision**2 * phase.variance for phase in told) / total**2,
    )  # fmt: skip
