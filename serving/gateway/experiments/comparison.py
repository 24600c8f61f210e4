"""Compare one variant with control: the evidence for a difference, and its size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from serving.gateway.experiments.outcomes import Design, PhaseCounts
from serving.gateway.experiments.sequential import half_width, log_e_shares

UNPAIRED_CONCENTRATION = 50.0
PAIRED_CONCENTRATION = 10.0
SEQUENCE_FROM = 30  # cases: the sequence is asymptotic
FARTHEST = 10_000_000  # cases: no forecast goes farther


@dataclass(frozen=True)
class PhaseEvidence:
    """The evidence of one phase: cases for either arm, and the difference of their accuracies.

    A case for an arm is, paired, an image that it alone of the two has right; unpaired, a labelled error of the other.
    `odds` are those of a case for the variant if the two are equal. `variance` is that of `difference`, which comes
    from `n` outcomes; `n` is 0 without any.
    """

    for_variant: int
    for_control: int
    odds: float
    n: float = 0.0
    difference: float = 0.0
    variance: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """The evidence of all phases on `arm` against control; `difference` is its accuracy less that of control.

    `sequence` covers the difference at all times at once, with probability 1 - α shared between the comparisons.
    `possible` is false where no outcome could ever tell: unpaired, with one of the two never served.
    """

    arm: int
    for_variant: int
    for_control: int
    n: float
    difference: float | None
    sequence: tuple[float, float] | None
    log_e: float
    threshold: float
    lean: float
    possible: bool
    cases_to_go: int | None

    @property
    def significant(self) -> bool:
        """Whether E has reached the threshold."""
        return self.log_e >= math.log(self.threshold)

    def verdict(self, margin: float) -> str:
        """Return `better`, `worse`, `equivalent` (the sequence lies inside ±`margin`) or `undecided`."""
        if self.significant and self.difference is not None:
            if self.lean > 0 and self.difference > 0:
                return "better"
            if self.lean < 0 and self.difference < 0:
                return "worse"
        inside = self.sequence is not None and -margin < self.sequence[0] and self.sequence[1] < margin
        return "equivalent" if inside else "undecided"


def compare(design: Design, phases: Sequence[PhaseCounts], arm: int) -> Comparison:
    """Compare `arm` with control over all phases: multiply their E, average their differences by outcomes."""
    tally, concentration = (_paired, PAIRED_CONCENTRATION) if design.paired else (_unpaired, UNPAIRED_CONCENTRATION)
    evidence = [t for phase in phases if (t := tally(phase, arm, design.control))]
    comparisons = len(design.arms) - 1
    threshold = comparisons / design.alpha
    cases = sum(t.for_variant for t in evidence), sum(t.for_control for t in evidence)
    n = sum(t.n for t in evidence)
    difference, sequence = None, None
    if n:
        difference = sum(t.n * t.difference for t in evidence) / n
        variance = sum(t.n * t.n * t.variance for t in evidence) / n  # of one outcome: n times that of the mean
        if sum(cases) >= SEQUENCE_FROM:
            reach = half_width(variance, n, design.alpha / comparisons)
            sequence = max(-1.0, difference - reach), min(1.0, difference + reach)
    log_e = sum(log_e_shares((t.for_variant, t.for_control), (t.odds, 1), concentration) for t in evidence)
    return Comparison(
        arm, *cases, n, difference, sequence, log_e, threshold,
        lean=sum(t.for_variant - (t.for_variant + t.for_control) * t.odds / (1 + t.odds) for t in evidence),
        possible=bool(evidence) or not phases,
        cases_to_go=_cases_to_go(evidence, concentration, log_e, math.log(threshold)) if evidence else None,
    )  # fmt: skip


def _paired(phase: PhaseCounts, arm: int, control: int) -> PhaseEvidence:
    """Count the images that only one of the two has right; equal arms are equally likely to be that one."""
    better = sum(n for mask, n in phase.masks.items() if mask >> arm & 1 and not mask >> control & 1)
    worse = sum(n for mask, n in phase.masks.items() if mask >> control & 1 and not mask >> arm & 1)
    n = images_stood_for(phase)
    if not n:
        return PhaseEvidence(better, worse, 1.0)
    difference = (better - worse) / n
    return PhaseEvidence(better, worse, 1.0, n, difference, max(0.0, (better + worse) / n - difference**2) / n)


def images_stood_for(phase: PhaseCounts) -> float:
    """Return how many images the labelled ones of a paired phase stand for.

    Arms that agree on an image cannot differ in accuracy there, labelled or not. So n labelled disagreements stand for
    all images up to the nth disagreement. Labels on disagreements alone then do not exaggerate the difference.
    """
    if phase.labelled_disagreements and phase.disagreements:
        return phase.labelled_disagreements * phase.compared / phase.disagreements
    return sum(phase.masks.values())


def _unpaired(phase: PhaseCounts, arm: int, control: int) -> PhaseEvidence | None:
    """Count the errors of both; return None where one is never served, which makes them incomparable."""
    if not phase.weights[arm] or not phase.weights[control]:
        return None
    wrong, n = (phase.errors[arm], phase.errors[control]), (phase.labelled[arm], phase.labelled[control])
    odds = phase.weights[control] / phase.weights[arm]  # an error of control is a case for the variant
    if not all(n):
        return PhaseEvidence(wrong[1], wrong[0], odds)
    rates = wrong[0] / n[0], wrong[1] / n[1]
    variance = sum(rate * (1 - rate) / count for rate, count in zip(rates, n, strict=True))
    return PhaseEvidence(wrong[1], wrong[0], odds, sum(n), rates[1] - rates[0], variance)


def _cases_to_go(evidence: Sequence[PhaseEvidence], concentration: float, log_e: float, goal: float) -> int | None:
    """Return how many more cases in the last phase bring log E to `goal` at the present split, None for too many."""
    if log_e >= goal:
        return 0
    cases = sum(t.for_variant for t in evidence), sum(t.for_control for t in evidence)
    if not any(cases):
        return None
    last = evidence[-1]
    share = cases[0] / sum(cases)
    before = log_e - log_e_shares((last.for_variant, last.for_control), (last.odds, 1), concentration)

    def reached(more: int) -> bool:
        counts = last.for_variant + round(more * share), last.for_control + more - round(more * share)
        return before + log_e_shares(counts, (last.odds, 1), concentration) >= goal

    more = 1
    while not reached(more):
        more *= 2
        if more > FARTHEST:
            return None
    low = more // 2
    while more - low > 1:
        middle = (low + more) // 2
        low, more = (low, middle) if reached(middle) else (middle, more)
    return more
