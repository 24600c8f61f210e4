"""Place the looks at a simulated experiment: numbers of labelled units, and the images that have come by then."""

import math
from dataclasses import dataclass

import numpy as np

from serving.gateway.experiments.planning.rates import Rates
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.experiments.sequential import Array

GROWTH = 1.02  # of labelled units from one look to the next; the gateway looks once a second
FIRST_CASES = 2  # expected by the first look, too few for any verdict
SPARE = 1.3  # of the units expected to use up all labels
MOST_UNITS = 10**15
NEWTON_STEPS = 60
SHORTEST = 0.001  # images that come until a label; below, labels come at once


@dataclass(frozen=True)
class Looks:
    """By look: `units` whose images have their labels, new ones since the look before, and `images` that have come.

    Labels come after `delay` images on average; 0: at once.
    """

    units: Array
    new: np.ndarray
    images: Array
    delay: float


def place_looks(spec: PlanSpec, rates: Rates, growth: float = GROWTH) -> Looks:
    """Return looks from the first cases to the last label; units grow by `growth` from one to the next."""
    size = spec.images_per_unit or 1
    if spec.paired:
        answered = 1.0
        case = some_of(size, spec.label_share * (rates.won + rates.lost))
        labels = spec.label_share * size * (rates.disagreement if spec.label == "disagreements" else 1.0)
    else:
        assert rates.errors is not None
        answered = some_of(size, spec.label_share)
        case, labels = (1 - spec.weight) * rates.errors[0] + spec.weight * rates.errors[1], 1.0
    last = min(MOST_UNITS, SPARE * spec.max_labels / labels + 10 / case)
    first = min(FIRST_CASES / case, last)
    count = 1 + math.ceil(math.log(last / first) / math.log(growth))
    units = np.unique(np.ceil(first * growth ** np.arange(count)))
    delay = (spec.label_delay_days or 0) * (spec.images_per_day or 0)
    delay = delay if delay >= SHORTEST else 0.0
    return Looks(units, np.diff(units, prepend=0).astype(np.int64), _sent(units / answered * size, delay), delay)


def some_of(size: int, share: float) -> float:
    """Return the probability that at least one of `size` images is among a share of all; exact for tiny shares."""
    return 1.0 if share >= 1 else -math.expm1(size * math.log1p(-share))


def _sent(labelled: Array, delay: float) -> Array:
    """Return the images sent by the time that `labelled` of them have labels, which come after `delay` images.

    Of x images sent evenly, x - delay·(1 - exp(-x/delay)) have labels by then, if delays are exponential.
    """
    if not delay:
        return labelled
    sent = labelled + np.minimum(delay, np.sqrt(2 * labelled * delay))  # above the root, from which Newton falls
    for _ in range(NEWTON_STEPS):
        waiting = -np.expm1(-sent / delay)
        sent = sent - (sent - delay * waiting - labelled) / waiting
    return sent
