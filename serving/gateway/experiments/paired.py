"""The evidence of a paired experiment: units with images that only one of two arms has right."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from serving.gateway.experiments.outcomes import PairCounts, PhaseCounts
from serving.gateway.experiments.sequential import log_e_shares

CONCENTRATION = 10.0
SEQUENCE_FROM = 30  # units with won or lost images: the sequence is asymptotic


@dataclass(frozen=True)
class PairedEvidence:
    """The counts of all phases, summed: equal arms are equally likely to win a unit, whatever the weights.

    A case is an image that one of the two alone has right; `first` counts the units by their first case, won and lost.
    `net` is as in `PairCounts`. `difference` is the accuracy of the variant less that of control, from `n` units.
    `variance` is that of `difference`, 0 where unknown. `volunteered` labels of users inform all but `first`, the
    `deciding` cases, and `by_trusted`, which is the difference without them.
    """

    for_variant: int
    for_control: int
    first: tuple[int, int]
    net: Counter[int]
    n: float
    difference: float | None
    variance: float
    volunteered: int = 0
    by_trusted: float | None = None
    deciding: int = 0

    possible = True

    @property
    def units(self) -> dict[str, int]:
        """Return the number of units with cases, by the arm that wins most of them."""
        return {
            "for_variant": sum(count for x, count in self.net.items() if x > 0),
            "for_control": sum(count for x, count in self.net.items() if x < 0),
            "tied": self.net[0],
        }

    @property
    def lean(self) -> float:
        """Return how many units' first cases the variant has won beyond those that control has."""
        return self.first[0] - self.first[1]

    @property
    def enough(self) -> bool:
        """Whether the asymptotic sequence holds."""
        return self.net.total() >= SEQUENCE_FROM

    def log_e(self, more: int = 0) -> float:
        """Return log E against equal arms, after `more` deciding cases in units like those so far.

        Each unit counts once, by its first case: a fair coin if the arms are equal, however alike the images of a unit
        are and whenever they get labels. E on the net outcome of a unit, or on its sign, is no e-process, since further
        images change an outcome that E has counted. `benchmarks/clusters.py` measures all three.
        """
        units = round(more * sum(self.first) / self.deciding) if more else 0
        won = round(units * self.first[0] / sum(self.first)) if units else 0
        return log_e_shares((self.first[0] + won, self.first[1] + units - won), (1, 1), CONCENTRATION)


def paired_evidence(phases: Sequence[PhaseCounts], arm: int, _control: int) -> PairedEvidence:
    """Sum the counts of `arm` beside control over the phases."""
    pairs = [phase.pairs[arm] for phase in phases]
    won, lost = sum(pair.won for pair in pairs), sum(pair.lost for pair in pairs)
    first = sum(pair.first_won for pair in pairs), sum(pair.first_lost for pair in pairs)
    net = sum((Counter(pair.net) for pair in pairs), Counter())
    images = sum(_labelled_share(pair) * pair.images for pair in pairs)
    deciding = sum(pair.trusted_won + pair.trusted_lost for pair in pairs)
    if not images:
        return PairedEvidence(won, lost, first, net, 0.0, None, 0.0, deciding=deciding)
    difference = (won - lost) / images
    units = sum(_labelled_share(pair) * pair.units for pair in pairs)
    variance, volunteered = _spread(pairs, difference) / images**2, sum(pair.volunteered for pair in pairs)
    return PairedEvidence(won, lost, first, net, units, difference, variance, volunteered, _by_trusted(pairs), deciding)


def _by_trusted(pairs: Sequence[PairCounts]) -> float | None:
    """Return the difference by trusted labels alone, None without any."""
    won, lost = sum(pair.trusted_won for pair in pairs), sum(pair.trusted_lost for pair in pairs)
    images = sum(_labelled_share(pair, pair.volunteered) * pair.images for pair in pairs)
    return (won - lost) / images if images else None


def _labelled_share(pair: PairCounts, left_out: int = 0) -> float:
    """Return the share f of images that the labelled ones stand for, but for labels that are `left_out`.

    Arms that agree on an image cannot differ in accuracy there, labelled or not. So the labelled share of disagreements
    stands for the same share of all images. Labels on disagreements alone then do not exaggerate the difference.
    """
    return (pair.labelled_disagreements - left_out) / pair.disagreements if pair.disagreements else 1.0


def _spread(pairs: Sequence[PairCounts], difference: float) -> float:
    """Return the variance of Σd with units as clusters: Σd² - 2Df Σdn + D²f² Σn², D being the `difference`.

    The linearised variance of a ratio (Cochran, Sampling Techniques, 1977, section 6.3).
    """
    shares = [difference * _labelled_share(pair) for pair in pairs]
    return max(0.0, math.fsum(
        pair.squares - 2 * share * pair.products + share**2 * pair.sizes
        for pair, share in zip(pairs, shares, strict=True)
    ))  # fmt: skip
