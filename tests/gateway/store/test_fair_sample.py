"""The check that labelled disagreements are a fair sample of all: false alarms, and the order that it has to notice."""

import math
import random

import pytest

from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.fair_sample import DRAWN, LOG_E, MILLIONTHS, POOL, Event, events, tally
from serving.gateway.store.scoring import Image, Scoring, disagreement_bin, pair_scores

PAIR = Scoring(2, 0, True)
ALARM = math.log(1000)


def image(ours: float, theirs: float, **others: object) -> Image:
    answers = [("1", theirs), ("2", ours)]
    return Image(1, 1, 1, 0, 5, 0.0, answers=answers, **others)  # type: ignore[arg-type]


def highest(bins: list[int], order: list[int]) -> float:
    """Return the largest log E while the images at `order` get their labels, of disagreements with these bins."""
    counters = Tally()
    counters.update(tally(counters, [Event(0, 1, each, True, False) for each in bins]))
    most = 0.0
    for at in order:
        counters.update(tally(counters, [Event(0, 1, bins[at], False, True)]))
        most = max(most, counters[Count(LOG_E, 1)] / MILLIONTHS)
    return most


def disagreements(rng: random.Random, n: int = 300) -> list[tuple[float, int]]:
    """Return the confidence of the less sure arm and the bin of n disagreements."""
    found = []
    for _ in range(n):
        ours, theirs = rng.betavariate(5, 1.5), rng.betavariate(4, 2)
        found.append((min(ours, theirs), disagreement_bin(image(ours, theirs), PAIR, 1)))
    return found


@pytest.mark.slow
def test_a_random_order_seldom_alarms_and_e_stays_an_e_value() -> None:
    """300 runs that label half of 300 disagreements: E reaches 20 in at most 5 % of them, and 1,000 in none."""
    rng = random.Random(1)
    found = []
    for _ in range(300):
        bins = [each for _, each in disagreements(rng)]
        found.append(highest(bins, rng.sample(range(len(bins)), len(bins) // 2)))
    assert sum(log_e >= math.log(20) for log_e in found) / 300 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 300)
    assert max(found) < ALARM


@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.slow
def test_an_order_by_confidence_alarms(reverse: bool) -> None:
    rng = random.Random(2)
    for _ in range(20):
        given = disagreements(rng)
        order = sorted(range(len(given)), key=lambda at: given[at][0], reverse=reverse)  # noqa: B023
        assert highest([each for _, each in given], order[:100]) >= ALARM


def test_labelling_everything_says_nothing_at_the_last_draw() -> None:
    rng = random.Random(3)
    bins = [each for _, each in disagreements(rng, 30)]
    assert highest(bins, list(range(30))) < ALARM


def events_of(old: Image | None, new: Image) -> list[Event]:
    return list(events(old, new, pair_scores(old, PAIR), pair_scores(new, PAIR), PAIR))


def test_events_of_an_image() -> None:
    waiting = image(0.9, 0.6)
    (new,) = events_of(None, waiting)
    assert (new.new, new.drawn, new.arm) == (True, False, 1)
    told = image(0.9, 0.6, label="1", source="user")
    assert events_of(waiting, told) == []
    audited = image(0.9, 0.6, label="1", source="audit")
    assert [(each.new, each.drawn) for each in events_of(told, audited)] == [(False, True)]
    assert events_of(audited, image(0.9, 0.6, label="2", source="ground_truth")) == []
    agreed = Image(1, 1, 1, 0, 5, 0.0, answers=[("1", 0.5), ("1", 0.5)])
    assert events_of(None, agreed) == []


def test_a_label_that_comes_first_enters_and_leaves_the_pool_at_once() -> None:
    (event,) = events_of(None, image(0.9, 0.6, label="1", source="audit"))
    found = tally(Tally(), [event])
    assert (found[Count(POOL, 1, event.bin)], found[Count(DRAWN, 1, event.bin)], found[Count(LOG_E, 1)]) == (1, 1, 0)
