"""Draw the counts of many simulated experiments, and weigh them by the formulas that judge the real ones.

Arrays are [runs, looks].
"""

from __future__ import annotations  # so numpy.random, 6 MB of a worker, is loaded for a plan alone

import abc
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serving.gateway.experiments import paired, unpaired
from serving.gateway.experiments.planning.looks import Looks, some_of
from serving.gateway.experiments.planning.rates import Rates
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.experiments.sequential import Array, log_e_shares_of_many

UNLIKELY = 1e-6  # numbers of cases in a unit that are rarer than the likeliest by this much are left out
MOST_KINDS = 16  # of units by their number of cases; of more, neighbours are drawn as one kind
SHIFT = 8  # beyond which Stirling's series is exact to 1e-11


@dataclass(frozen=True)
class Evidence:
    """The evidence of a comparison, as in `comparison.Evidence`, and the labels behind it."""

    log_e: Array
    lean: Array
    difference: Array
    n: Array
    variance: Array
    enough: np.ndarray
    labels: Array


class Stream(abc.ABC):
    """Experiments of one kind, whose counts grow from look to look."""

    def __init__(self, spec: PlanSpec, rates: Rates, looks: Looks, rng: np.random.Generator) -> None:
        """Prepare to draw what comes between looks."""
        self._spec, self._rates, self._looks, self._rng = spec, rates, looks, rng
        self._size = spec.images_per_unit or 1
        self._runs = spec.runs
        self._counts: Sequence[Array] | None = None  # by run, at the last look

    def evidence(self, block: slice) -> Evidence:
        """Draw the units whose labels come until each look of a block; return the evidence at these looks."""
        new = np.broadcast_to(self._looks.new[block], (self._runs, len(self._looks.new[block])))
        counts = [np.cumsum(each, axis=1, dtype=float) for each in self._draw(new, block)]
        if self._counts is not None:
            counts = [before[:, np.newaxis] + each for before, each in zip(self._counts, counts, strict=True)]
        self._counts = [each[:, -1] for each in counts]
        return self.weigh(counts, self._looks.units[block], self._looks.images[block])

    def keep(self, runs: np.ndarray) -> None:
        """Go on with these runs alone."""
        assert self._counts is not None
        self._counts = [each[runs] for each in self._counts]
        self._runs = len(self._counts[0])

    @abc.abstractmethod
    def _draw(self, new: np.ndarray, block: slice) -> Sequence[np.ndarray]:
        """Return the counts of so many new units, by the looks of a block."""

    @abc.abstractmethod
    def weigh(self, counts: Sequence[Array], units: Array, images: Array) -> Evidence:
        """Return the evidence of counts, after so many labelled units, and images that have come."""


class PairedStream(Stream):
    """Paired experiments: units of several images, the first case of which counts in the test.

    A case is an image that one arm alone has right. Where labels come late, those of a unit come one by one.
    """

    def __init__(self, spec: PlanSpec, rates: Rates, looks: Looks, rng: np.random.Generator) -> None:
        """Prepare to draw what comes between looks."""
        super().__init__(spec, rates, looks, rng)
        self._won = rates.won / (rates.won + rates.lost)
        self._case, shares = cases_of_a_unit(self._size, spec.label_share * (rates.won + rates.lost))
        cases = np.arange(1.0, len(shares) + 1)
        # The mean of d² of a unit with c cases is c + c(c - 1)(2w - 1)², w being the chance that a case is won.
        squares = cases + cases * (cases - 1) * (2 * self._won - 1) ** 2
        self._kinds, (self._more, self._squares) = in_kinds(shares, cases - 1, squares)

    def _draw(self, new: np.ndarray, block: slice) -> Sequence[np.ndarray]:
        """Return units by their first case, won and lost; cases, won and lost; images with no arm right; and Σd²."""
        rng = self._rng
        with_cases = rng.binomial(new, self._case)
        kinds = rng.multinomial(with_cases, self._kinds) if len(self._kinds) > 1 else with_cases[..., np.newaxis]
        more = np.rint(kinds @ self._more).astype(np.int64)
        squares = kinds @ self._squares
        cases = with_cases + more
        firsts = with_cases if self._looks.first is None else rng.binomial(cases, self._looks.first[block])
        first, others = rng.binomial(firsts, self._won), rng.binomial(cases - firsts, self._won)
        neither = rng.binomial(new * self._size, self._spec.label_share * self._rates.neither)
        return first, firsts - first, first + others, cases - first - others, neither, squares

    def weigh(self, counts: Sequence[Array], units: Array, images: Array) -> Evidence:
        """Weigh as `paired.paired_evidence` does; Σdn is the net times a unit's size, Σn² the images times it."""
        first_won, first_lost, won, lost, neither, squares = counts
        spec, net = self._spec, won - lost
        labelled = spec.label_share * self._size * units  # images that the labelled disagreements stand for
        spread = np.maximum(squares - net**2 * self._size / images, 0)
        all_of_them = np.broadcast_to(labelled, net.shape)
        return Evidence(
            log_e_shares_of_many((first_won, first_lost), (1, 1), paired.CONCENTRATION, log_gamma),
            first_won - first_lost, net / labelled, np.broadcast_to(spec.label_share * units, net.shape),
            spread / labelled**2, first_won + first_lost >= paired.SEQUENCE_FROM,
            won + lost + neither if spec.label == "disagreements" else all_of_them,
        )  # fmt: skip


class UnpairedStream(Stream):
    """Unpaired experiments: each unit has one outcome, of one arm."""

    def _draw(self, new: np.ndarray, block: slice) -> Sequence[np.ndarray]:
        """Return the units of the variant, and the errors of control and variant."""
        assert self._rates.errors is not None
        of_variant = self._rng.binomial(new, self._spec.weight)
        control, variant = self._rates.errors
        return of_variant, self._rng.binomial(new - of_variant, control), self._rng.binomial(of_variant, variant)

    def weigh(self, counts: Sequence[Array], units: Array, images: Array) -> Evidence:
        """Weigh as `unpaired.unpaired_evidence` does in one phase; an error of control is a case for the variant."""
        of_variant, *wrong = counts
        n = np.maximum(units - of_variant, 1), np.maximum(of_variant, 1)
        rates = [each / of for each, of in zip(wrong, n, strict=True)]
        odds = (1 - self._spec.weight) / self._spec.weight
        all_of_them = np.broadcast_to(units, of_variant.shape)
        by_weight = log_e_shares_of_many(wrong, (odds, 1), unpaired.CONCENTRATION, log_gamma)
        by_label = log_e_shares_of_many(wrong, n, unpaired.CONCENTRATION, log_gamma)
        return Evidence(
            np.where((units > of_variant) & (of_variant > 0), np.minimum(by_weight, by_label), 0),
            wrong[0] - (wrong[0] + wrong[1]) * odds / (1 + odds), rates[0] - rates[1], all_of_them,
            rates[0] * (1 - rates[0]) / n[0] + rates[1] * (1 - rates[1]) / n[1],
            np.minimum(*wrong) >= unpaired.SEQUENCE_FROM, all_of_them,
        )  # fmt: skip


def log_gamma(x: Array | float) -> Array:
    """Return ln Γ of values above 0, to 1e-11, by Stirling's series at x + SHIFT."""
    product = np.asarray(1.0)
    for step in range(SHIFT):
        product = product * (x + step)
    z = x + SHIFT
    inverse = 1 / (z * z)
    series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / z
    return (z - 0.5) * np.log(z) - z + 0.5 * np.log(2 * np.pi) + series - np.log(product)


def cases_of_a_unit(size: int, case: float) -> tuple[float, Array]:
    """Return the probability that a unit of `size` images has a case, and the shares of 1, 2, … cases among those."""
    if case >= 1:
        return 1.0, (np.arange(1, size + 1) == size).astype(float)
    counts = np.arange(1.0, size + 1)
    steps = np.log((size - counts[:-1]) / counts[1:] * (case / (1 - case)))  # from c cases to c + 1
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    shares = np.exp(logs - logs.max())
    shares = shares[: np.flatnonzero(shares > UNLIKELY)[-1] + 1]
    return some_of(size, case), shares / shares.sum()


def in_kinds(shares: Array, *values: Array) -> tuple[Array, Sequence[Array]]:
    """Merge neighbours into at most MOST_KINDS kinds; return the shares of the kinds, and the mean of each of `values`.

    A kind's units are all taken for its mean, which keeps the means and loses the spread within a kind.
    """
    wide = -(-len(shares) // MOST_KINDS)
    starts = np.arange(0, len(shares), wide)
    kinds = np.add.reduceat(shares, starts)
    weights = np.where(kinds > 0, kinds, 1)
    return kinds, [np.add.reduceat(shares * each, starts) / weights for each in values]
