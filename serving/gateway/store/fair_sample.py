"""Test at every moment whether the labelled disagreements of a pair are a fair sample of all.

Under the null hypothesis each newly labelled disagreement is a uniform draw from those without a label. So its bin has
the probability ρ(bin), the share of that bin among them. The e-process multiplies q(bin) / ρ(bin); q is the mixture of
ρ with the bins drawn so far, known before the draw. P(E ever ≥ 1/α) ≤ α (Ville). The counters keep log E in millionths.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.scoring import Image, PairScore, Scoring, disagreement_bin
from serving.gateway.store.sources import trusted

POOL, DRAWN, LOG_E = "pool", "drawn", "sample_log_e"
NAMES = (POOL, DRAWN, LOG_E)
CONCENTRATION = 10.0  # draws after which q weighs the bins drawn so far as much as ρ
MILLIONTHS = 1_000_000


class Event(NamedTuple):
    """A disagreement of a pair that is new, or that now has its first trusted label; `order` is random."""

    order: int
    arm: int
    bin: int
    new: bool
    drawn: bool


def events(
    old: Image | None, new: Image, was: Sequence[PairScore], now: Sequence[PairScore], scoring: Scoring
) -> Iterator[Event]:
    """Give the events of one changed image with its scores by arm, at most one a pair."""
    for arm, score in enumerate(now):
        if not score.disagree:
            continue
        known = was[arm].disagree == 1
        drawn = trusted(new.source) and not (known and old is not None and trusted(old.source))
        if drawn or not known:
            yield Event(new.draw, arm, disagreement_bin(new, scoring, arm), not known, drawn)


def tally(now: Mapping[Count, int], given: Iterable[Event]) -> Tally:
    """Return the changes of the counters `now` that these events make, taken in their random order.

    Only events that draw need `now`.
    """
    counters, changes = Tally(now), Tally()
    for event in sorted(given):
        more = Tally({Count(POOL, event.arm, event.bin): int(event.new)})
        counters.update(more)
        if event.drawn:
            drawn = Tally({Count(DRAWN, event.arm, event.bin): 1})
            drawn[Count(LOG_E, event.arm)] = round(MILLIONTHS * _log_factor(counters, event))
            counters.update(drawn)
            more.update(drawn)
        changes.update(more)
    return changes


def _log_factor(counters: Tally, event: Event) -> float:
    """Return log q(bin) / ρ(bin) of one draw."""

    def of_arm(name: str) -> dict[int, int]:
        return {count.value: n for count, n in counters.items() if count.name == name and count.arm == event.arm}

    pool, drawn = of_arm(POOL), of_arm(DRAWN)
    left = sum(pool.values()) - sum(drawn.values())
    share = (pool[event.bin] - drawn.get(event.bin, 0)) / left
    # Bins of which nothing is left cannot be drawn, so q gives them nothing.
    possible = {bin: n for bin, n in drawn.items() if pool[bin] > n}
    q = (CONCENTRATION * share + possible.get(event.bin, 0)) / (CONCENTRATION + sum(possible.values()))
    return math.log(q / share)
