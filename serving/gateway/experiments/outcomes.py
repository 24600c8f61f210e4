"""The design of an experiment and its counts; an arm is its index in `arms`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Guardrail:
    """A bound on the cost of a variant: its rate may be up to (1 + `margin`) times that of control.

    `metric` is `error_rate` (failed requests) or `slow` (requests slower than `threshold_ms`).
    """

    metric: Literal["error_rate", "slow"]
    margin: float
    threshold_ms: float | None = None


@dataclass(frozen=True)
class Design:
    """The part of an experiment that is fixed at its start; `control` is an arm.

    No verdict on accuracy comes before `min_days` and `min_units`. Nearly all labels come within `maturity_days`.
    """

    name: str
    arms: tuple[str, ...]
    control: int
    paired: bool
    alpha: float
    margin: float
    max_labels: int
    guardrails: tuple[Guardrail, ...] = ()
    min_days: float = 0.0
    min_units: int = 0
    maturity_days: float = 0.0


@dataclass(frozen=True)
class PairCounts:
    """The counts of a variant beside control in one phase of a paired experiment.

    An image counts once in an experiment, and only where both arms have answered. Of a unit with n images, the variant
    alone has `won` right, control alone has `lost` right; d is won less lost.

    units, images           units and their images, labelled or not
    disagreements           images that the two label differently
    labelled_disagreements  of them, those with a label that counts for this pair
    volunteered             of these, those whose label comes from a user; they inform, and decide nothing
    won, lost               images with such a label that the variant alone, or control alone, has right
    trusted_won, trusted_lost  of them, those with a trusted label
    first_won, first_lost   units whose first won or lost image to get a trusted label is a won one, or a lost one
    net                     units with won or lost images, by the sign of d
    squares, products, sizes  sums over the units of d², d·n and n²
    sample_log_e            log E against "the labelled disagreements are a fair sample of all"
    """

    units: int = 0
    images: int = 0
    disagreements: int = 0
    labelled_disagreements: int = 0
    won: int = 0
    lost: int = 0
    first_won: int = 0
    first_lost: int = 0
    net: Mapping[int, int] = field(default_factory=dict)
    squares: int = 0
    products: int = 0
    sizes: int = 0
    sample_log_e: float = 0.0
    volunteered: int = 0
    trusted_won: int = 0
    trusted_lost: int = 0


@dataclass(frozen=True)
class Cases:
    """Counts by arm and kind of request: cases of a guardrail, or calls.

    A case is a unit with a failed or slow request to the arm, one case a unit and call at most. `served` counts
    requests of the units assigned to the arm, `shadow` the background requests of the other units.
    """

    served: tuple[int, ...]
    shadow: tuple[int, ...]


@dataclass(frozen=True)
class PhaseCounts:
    """The counts of one phase, a stretch of the experiment with one set of weights; tuples are by arm.

    weights             share of the units assigned to the arm; they sum to 1
    units               units assigned to the arm
    labelled, errors    of them, units with an outcome, and those whose outcome is an error; the outcome of a unit is
                        its first image with a trusted label (ground truth or audit)
    firsts              paired: these outcomes by (mask of the arms that answered, mask of the right ones); bit i: arm i
    pairs               paired: by arm, its counts beside control; empty for control
    exposures, images   requests of units assigned to the arm, and their images
    requests, failures  requests to the arm, and the failed ones; paired, its shadow requests too
    stand_ins           exposures that another variant answered
    failed, slow        cases of the guardrails
    calls               calls to the model server with such requests in them
    labels              images with a label that counts
    volunteered         paired: of them, those whose label a user gave, which decides nothing
    compared            paired: images that two arms or more answered, labelled or not
    disagreements       of them, those with different classes from different arms
    labelled_disagreements  of them, those with a label that counts
    trusted_disagreements   of these, those whose label no user gave
    unreadable          images whose label says that nobody can read them
    repeats             images left out, since the experiment has their pixels already
    without_answers     paired: labels of images whose answers of all arms are missing or deleted
    mature              of `labelled`, units exposed longer than `maturity_days` ago; None if that is 0
    """

    weights: tuple[float, ...]
    units: tuple[int, ...]
    labelled: tuple[int, ...]
    errors: tuple[int, ...]
    firsts: Mapping[tuple[int, int], int]
    pairs: tuple[PairCounts, ...]
    exposures: tuple[int, ...]
    images: tuple[int, ...]
    requests: tuple[int, ...]
    failures: tuple[int, ...]
    stand_ins: tuple[int, ...]
    failed: Cases
    slow: Cases
    calls: Cases
    labels: int = 0
    volunteered: int = 0
    compared: int = 0
    disagreements: int = 0
    labelled_disagreements: int = 0
    trusted_disagreements: int = 0
    unreadable: int = 0
    repeats: int = 0
    without_answers: int = 0
    mature: tuple[int, ...] | None = None

    @property
    def deciding(self) -> int:
        """Return the number of images whose label decides: it counts, and no user gave it."""
        return self.labels - self.volunteered


@dataclass(frozen=True)
class Latency:
    """Percentiles of an arm's latency, in milliseconds."""

    p50_ms: float
    p99_ms: float
