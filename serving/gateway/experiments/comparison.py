"""Compare one variant with control: the evidence for a difference, and its size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from serving.gateway.experiments.outcomes import Design, PhaseCounts
from serving.gateway.experiments.paired import PairedEvidence, paired_evidence
from serving.gateway.experiments.sequential import half_width, p_anytime
from serving.gateway.experiments.unpaired import UnpairedEvidence, unpaired_evidence

FARTHEST = 10_000_000  # cases: no forecast goes farther

Evidence = PairedEvidence | UnpairedEvidence


@dataclass(frozen=True)
class Comparison:
    """The evidence of all phases on `arm` against control, one of `tests` comparisons.

    A case for an arm is, paired, an image that it alone of the two has right; unpaired, a labelled error of the other.
    `units` are those that favour either arm, or none; None if unpaired. `firsts` are the units whose first case the
    variant has won, and control: the counts of the paired test. `n` is the number of units that `difference`
    comes from: the accuracy of `arm` less that of control. `by_trusted` is the difference without the `volunteered`
    labels of users. `sequence` covers `difference` at all times at once, with probability 1 - α shared between the
    comparisons. `possible` is false where no outcome could ever tell: unpaired, with one of the two never served.
    `deciding` cases have trusted labels; `cases_to_go` are more of these.
    """

    arm: int
    tests: int
    for_variant: int
    for_control: int
    units: dict[str, int] | None
    n: float
    difference: float | None
    sequence: tuple[float, float] | None
    log_e: float
    threshold: float
    lean: float
    possible: bool
    deciding: int
    cases_to_go: int | None
    volunteered: int
    firsts: tuple[int, int] | None = None
    by_trusted: float | None = None

    @property
    def decisive(self) -> float | None:
        """Return the difference that decides, without the labels that users volunteered."""
        return self.by_trusted if self.volunteered else self.difference

    @property
    def significant(self) -> bool:
        """Whether E has reached the threshold."""
        return self.log_e >= math.log(self.threshold)

    @property
    def p_anytime(self) -> float:
        """Return the p-value at every moment, corrected for the number of comparisons."""
        return p_anytime(self.log_e, self.tests)

    def verdict(self, margin: float) -> str:
        """Return `better`, `worse`, `equivalent` (the sequence lies inside ±`margin`) or `undecided`.

        A significant result whose test and difference point in opposite directions is undecided. Labels that users
        volunteered, which inform the sequence, decide nothing: with any of them none is `equivalent`.
        """
        gained = self.decisive
        if self.significant:
            if gained and self.lean * gained > 0:
                return "better" if gained > 0 else "worse"
            return "undecided"
        if self.volunteered:
            return "undecided"
        inside = self.sequence is not None and -margin < self.sequence[0] and self.sequence[1] < margin
        return "equivalent" if inside else "undecided"


def compare(design: Design, phases: Sequence[PhaseCounts], arm: int) -> Comparison:
    """Compare `arm` with control over all `phases` that are fit for evidence."""
    evidence: Evidence = (paired_evidence if design.paired else unpaired_evidence)(phases, arm, design.control)
    tests = len(design.arms) - 1
    log_e, threshold = evidence.log_e(), tests / design.alpha
    return Comparison(
        arm, tests, evidence.for_variant, evidence.for_control, evidence.units, evidence.n, evidence.difference,
        _sequence(evidence, design.alpha / tests), log_e, threshold, evidence.lean, evidence.possible,
        evidence.deciding, _cases_to_go(evidence, log_e, math.log(threshold)), evidence.volunteered,
        evidence.first if isinstance(evidence, PairedEvidence) else None, evidence.by_trusted,
    )  # fmt: skip


def _sequence(evidence: Evidence, alpha: float) -> tuple[float, float] | None:
    """Return the confidence sequence of the difference, None while it would not hold."""
    if evidence.difference is None or not evidence.variance or not evidence.enough:
        return None
    reach = float(half_width(evidence.n * evidence.variance, evidence.n, alpha))
    return max(-1.0, evidence.difference - reach), min(1.0, evidence.difference + reach)


def _cases_to_go(evidence: Evidence, log_e: float, goal: float) -> int | None:
    """Return how many more cases bring log E to `goal` at the present split, None for too many."""
    if log_e >= goal:
        return 0
    if not evidence.deciding:
        return None
    more = 1
    while evidence.log_e(more) < goal:
        more *= 2
        if more > FARTHEST:
            return None
    low = more // 2
    while more - low > 1:
        middle = (low + more) // 2
        low, more = (low, middle) if evidence.log_e(middle) >= goal else (middle, more)
    return more
