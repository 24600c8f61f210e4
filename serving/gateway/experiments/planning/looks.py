"""Place the looks at a simulated experiment: numbers of labelled units, and the images that have come by then."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from serving.gateway.experiments.planning.rates import Rates
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.experiments.sequential import Array

GROWTH = 1.02  # of labelled units from one look to the next; the gateway looks once a second
FIRST_CASES = 2  # expected by the first look, too few for any verdict
SPARE = 1.3  # of the units expected to use up all labels
MOST_UNITS = 10**15
NEWTON_STEPS = 60
AGES = 64  # of images, over which the labels that have come are averaged
SHORTEST = 0.001  # images that come until a label; below, labels come at once

Share = TypeVar("Share", float, Array)


@dataclass(frozen=True)
class Looks:
    """By look: `units` whose images have their labels, new ones since the look before, and `images` that have come.

    `first` is the share of the new cases that are the first of their unit, None where a unit's labels come together.
    """

    units: Array
    new: np.ndarray
    images: Array
    first: Array | None


def place_looks(spec: PlanSpec, rates: Rates, growth: float = GROWTH) -> Looks:
    """Return looks from the first cases to the last label; units grow by `growth` from one to the next."""
    size = spec.images_per_unit or 1
    share = spec.label_share * (rates.won + rates.lost)  # of images that are a case, in paired experiments
    if spec.paired:
        answered = 1.0
        case = some_of(size, share)
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
    images = _sent(units / answered * size, delay)
    one_by_one = spec.paired and delay >= SHORTEST
    of_units = first_cases(images, delay, size, share) if one_by_one else None
    return Looks(units, np.diff(units, prepend=0).astype(np.int64), images, of_units)


def some_of(size: int, share: Share) -> Share:
    """Return the probability that at least one of `size` images is among a share of all; exact for tiny shares."""
    with np.errstate(divide="ignore"):  # ln 0 for a share of all, of which each has some
        return -np.expm1(size * np.log1p(-np.minimum(share, 1)))


def first_cases(images: Array, delay: float, size: int, share: float) -> Array:
    """Return which share of the cases labelled since the look before are the first of their unit, by look.

    `images` have come by each look, and `share` of them are cases. A share 1 - exp(-age/delay) of images have their
    label at an age; ages are spread evenly up to that of the first image.
    """
    ages = (np.arange(AGES) + 0.5) / AGES * images[:, np.newaxis]
    labelled = share * -np.expm1(-ages / delay)
    units = images / size * some_of(size, labelled).mean(axis=1)
    cases = images * labelled.mean(axis=1)
    return np.clip(np.diff(units, prepend=0) / np.maximum(np.diff(cases, prepend=0), np.finfo(float).tiny), 0, 1)


def _sent(labelled: Array, delay: float) -> Array:
    """Return the images sent by the time that `labelled` of them have labels, which come after `delay` images.

    Of x images sent evenly, x - delay·(1 - exp(-x/delay)) have labels by then, if delays are exponential.
    """
    if delay < SHORTEST:
        return labelled
    sent = labelled + np.minimum(delay, np.sqrt(2 * labelled * delay))  # above the root, from which Newton falls
    for _ in range(NEWTON_STEPS):
        waiting = -np.expm1(-sent / delay)
        sent = sent - (sent - delay * waiting - labelled) / waiting
    return sent
