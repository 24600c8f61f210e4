"""Count labels and answers of images, in any order; on a store of their own."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine, insert

from serving.gateway.store import counts, images
from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.evidence import Book, ImageLabel, Seen
from serving.gateway.store.images import ImageAnswers
from serving.gateway.store.scoring import Answers, Scoring
from serving.gateway.store.sources import SOURCES, UNREADABLE
from serving.gateway.store.tables import experiments, metadata, phases
from testing.recount import problems

PAIRED = Scoring(2, 0, True, frozenset({0, 1}))
UNPAIRED = Scoring(2, 0, False)
SPEC = {
    "name": "test", "control": "plain",
    "arms": [{"variant": "plain", "weight": 0.5}, {"variant": "dropout", "weight": 0.5}],
}  # fmt: skip
CLASSES = ("1", "2", "3")
ORDER = ("pool", "drawn", "sample_log_e", "repeats")  # depend on the order of labels

unhurried = settings(deadline=None, max_examples=30)


@cache
def engine() -> Engine:
    """Return a database that holds the schema, and nothing else but while a book is open."""
    made = create_engine("sqlite://")
    metadata.create_all(made)
    return made


@contextmanager
def book(scoring: Scoring) -> Iterator[tuple[Book, Connection]]:
    """Give the book of one running experiment with one phase, which is forgotten at the end."""
    with engine().connect() as connection:
        spec = {**SPEC, "paired": scoring.paired}
        connection.execute(
            insert(experiments).values(id=1, name="test", spec=spec, status="running", phase=1, created_at=0)
        )
        connection.execute(
            insert(phases).values(
                experiment_id=1, number=1, weights=[0.5, 0.5], traffic=1, traffic_salt="", arm_salt="", started_at=0,
                epoch=1, versions=[1, 1],
            )
        )  # fmt: skip
        yield Book(connection, 1, 1, {1: scoring}, b"secret"), connection


def seen(image: int, unit: int, answers: Answers, at: float = 0) -> Seen:
    return Seen(1, unit, unit % 2, at, ImageAnswers(f"id {image}", image, answers, b"pixels"))


def labelled(image: int, unit: int, label: str, source: str, predicted: str = "1") -> ImageLabel:
    return ImageLabel(image, 1, unit, unit % 2, unit % 2, predicted, label, source, 0)


def tally(connection: Connection) -> Tally:
    return Tally({count: n for count, n in counts.read(connection, 1).get(1, Tally()).items() if n})


def sure(*labels: str | None) -> Answers:
    return [None if label is None else (label, 0.9) for label in labels]


Event = Seen | ImageLabel
UNIT_OF = {image: image // 3 + 1 for image in range(1, 13)}
events = st.lists(
    st.one_of(
        st.builds(
            lambda image, answers: seen(image, UNIT_OF[image], sure(*answers)),
            st.integers(1, 12),
            st.tuples(*(st.sampled_from((*CLASSES, None)) for _ in range(2))),
        ),
        st.builds(
            lambda image, label, source: labelled(image, UNIT_OF[image], label, source),
            st.integers(1, 12), st.sampled_from((*CLASSES, UNREADABLE)), st.sampled_from(SOURCES),
        ),
    ),
    max_size=40,
)  # fmt: skip


def apply(book: Book, came: Sequence[Event]) -> None:
    for event in came:
        book.answered([event]) if isinstance(event, Seen) else book.label([event])


@unhurried
@given(events, st.sampled_from([PAIRED, UNPAIRED]))
@pytest.mark.slow
def test_counters_are_the_sum_of_the_rows_in_any_order(came: list[Event], scoring: Scoring) -> None:
    with book(scoring) as (kept, connection):
        apply(kept, [event for event in came if scoring.paired or isinstance(event, ImageLabel)])
        assert [each for each in problems(connection, 1) if "labels_" not in each] == []


@unhurried
@given(events, st.lists(st.sampled_from(CLASSES), min_size=12, max_size=12), st.randoms(use_true_random=False))
@pytest.mark.slow
def test_the_truth_decides_alone_whatever_others_said_before(
    before: list[Event], truth: list[str], rng: random.Random
) -> None:
    """The same answers and the same truth give the same counters, with and without labels of lower rank."""
    answers = {event.given.image: event for event in before if isinstance(event, Seen)}
    lower = [event for event in before if isinstance(event, ImageLabel) and event.source != "ground_truth"]
    true = [labelled(image, UNIT_OF[image], truth[image - 1], "ground_truth") for image in UNIT_OF]
    mixed = rng.sample([*lower, *true], len(lower) + len(true))
    alone = [event for event in mixed if isinstance(event, ImageLabel) and event.source == "ground_truth"]
    found = []
    for labels in (mixed, alone):
        with book(PAIRED) as (kept, connection):
            apply(kept, [*answers.values(), *labels])
            found.append({count: n for count, n in tally(connection).items() if count.name not in ORDER})
    assert found[0] == found[1]


def test_copies_of_one_image_count_once_from_one_unit_or_many() -> None:
    with book(PAIRED) as (kept, connection):
        kept.answered([seen(7, unit, sure("1", "2")) for unit in range(20)])
        kept.label([labelled(7, unit, "2", "ground_truth") for unit in range(20)])
        found = tally(connection)
    assert (found[Count("won", 1)], found[Count("net", 1, 1)], found[Count("compared")]) == (1, 1, 1)
    assert found[Count("repeats")] == 19


def test_a_units_images_add_up_to_one_outcome() -> None:
    """The first one to get its label is the unit's case; the others widen the interval, and do not vote again."""
    with book(PAIRED) as (kept, connection):
        kept.answered([seen(image, 5, sure("1", "2")) for image in range(3)])
        kept.label([labelled(image, 5, label, "ground_truth") for image, label in enumerate("221")])
        found = tally(connection)
    assert {count: n for count, n in found.items() if count.name == "net"} == {Count("net", 1, 1): 1}
    assert (found[Count("first_won", 1)], found[Count("first_lost", 1)]) == (1, 0)
    assert (found[Count("won", 1)], found[Count("lost", 1)], found[Count("pair_units", 1)]) == (2, 1, 1)
    assert (found[Count("sizes", 1)], found[Count("squares", 1)], found[Count("products", 1)]) == (9, 1, 3)


def test_a_case_that_is_none_any_more_gives_way_to_the_units_next() -> None:
    with book(PAIRED) as (kept, connection):
        kept.answered([seen(image, 5, sure("1", "2")) for image in (1, 2, 3)])

        def cases() -> tuple[int, int]:
            return tally(connection)[Count("first_won", 1)], tally(connection)[Count("first_lost", 1)]

        assert not kept.label([labelled(1, 5, "2", "audit")])
        assert not kept.label([labelled(2, 5, "1", "audit")])
        assert cases() == (1, 0)
        assert kept.label([labelled(1, 5, "3", "ground_truth")])
        assert cases() == (0, 1)
        assert kept.label([labelled(3, 5, "2", "ground_truth")])  # outranks, though it is another image's label
        assert cases() == (1, 0)


def test_an_arm_that_did_not_answer_leaves_the_other_pairs() -> None:
    three = Scoring(3, 0, True)
    with book(three) as (kept, connection):
        kept.answered([seen(1, 1, sure("1", None, "2"))])
        kept.label([labelled(1, 1, "2", "audit")])
        found = tally(connection)
    assert (found[Count("pair_images", 1)], found[Count("pair_images", 2)], found[Count("won", 2)]) == (0, 1, 1)
    assert found[Count("first", 0b101, 0b100)] == 1


@pytest.mark.parametrize(
    ("scoring", "counted"),
    [(PAIRED, 1), (Scoring(2, 0, True), 0), (UNPAIRED, 0)],
)
def test_labels_of_users_count_for_pairs_that_are_served_alike(scoring: Scoring, counted: int) -> None:
    with book(scoring) as (kept, connection):
        if scoring.paired:
            kept.answered([seen(1, 1, sure("1", "2"))])
        kept.label([labelled(1, 1, "2", "user")])
        found = tally(connection)
    assert (found[Count("won", 1)], found[Count("pair_volunteered", 1)]) == (counted, counted)
    assert (found[Count("first_won", 1)], found[Count("labelled", 1)]) == (0, 0)


def test_a_third_arm_that_was_served_says_nothing_about_the_pair() -> None:
    three = Scoring(3, 0, True, frozenset({0, 1, 2}))
    with book(three) as (kept, connection):
        kept.answered([seen(1, 1, sure("1", "2", "1"))])
        kept.label([labelled(1, 1, "2", "user")._replace(served=2)])
        found = tally(connection)
    assert (found[Count("won", 1)], found[Count("pair_labelled", 1)]) == (0, 0)


def test_unreadable_is_an_outcome_that_scores_for_no_arm() -> None:
    with book(PAIRED) as (kept, connection):
        kept.answered([seen(1, 1, sure("1", "2"))])
        kept.label([labelled(1, 1, UNREADABLE, "audit")])
        found = tally(connection)
        assert images.count_queued(connection, 1) == 0
    assert (found[Count("unreadable")], found[Count("pair_labelled", 1)]) == (1, 1)
    assert (found[Count("won", 1)], found[Count("lost", 1)], found[Count("labelled", 1)]) == (0, 0, 0)


def test_a_label_of_a_user_leaves_the_image_in_the_queue() -> None:
    with book(PAIRED) as (kept, connection):
        kept.answered([seen(image, image, sure("1", "2"), at=time.time()) for image in range(5)])
        kept.label([labelled(3, 3, "2", "user")])
        assert images.count_queued(connection, 1) == 5
        kept.label([labelled(3, 3, "1", "audit")])
        assert images.count_queued(connection, 1) == 4


def test_the_queue_has_an_order_of_its_own_and_forgets_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the confidence nor the time decides; images beyond the bound leave from the end of the random order."""
    with book(PAIRED) as (kept, connection):
        now = time.time()
        given = [
            seen(image, image, [("1", image / 40), ("2", image / 40)], at=now + image / 1000) for image in range(40)
        ]
        kept.answered(given)
        order = [row.image for row in images.queued(connection, 1, 100)]
        assert sorted(order) == list(range(40))
        assert order not in (list(range(40)), list(range(39, -1, -1)))
        monkeypatch.setattr(images, "MOST_QUEUED", 10)
        kept.answered([seen(99, 99, sure("1", "1"))])
        kept.answered([seen(100, 100, sure("1", "2"), at=now)])
        left = [row.image for row in images.queued(connection, 1, 100)]
        assert left == [image for image in [*left] if image in {*order[:10], 100}]
        assert len(left) == 10


def test_whole_days_leave_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    with book(PAIRED) as (kept, connection):
        day = images.DAY_SECONDS
        monkeypatch.setattr(time, "time", lambda: 10.5 * day)
        kept.answered([seen(n, n, sure("1", "2"), at=at * day) for n, at in enumerate((2.99, 3.0, 3.4, 9))])
        assert {row.image for row in images.queued(connection, 1, 100)} == {1, 2, 3}


@pytest.mark.parametrize(("scoring", "corrects"), [(PAIRED, False), (UNPAIRED, True)])
def test_a_replaced_label_on_which_the_arms_agree_corrects_no_paired_evidence(scoring: Scoring, corrects: bool) -> None:
    with book(scoring) as (kept, _):
        if scoring.paired:
            kept.answered([seen(1, 1, sure("7", "7"))])
        assert not kept.label([labelled(1, 1, "7", "audit", predicted="7")])
        assert kept.label([labelled(1, 1, "1", "ground_truth", predicted="7")]) == corrects


def test_a_copy_from_another_arm_brings_no_error_of_its_own_to_the_first() -> None:
    """Unpaired, unit 1 was answered rightly by its arm; the same pixels of unit 2 wrongly by the other one."""
    with book(UNPAIRED) as (kept, connection):
        kept.label([labelled(7, 1, "3", "audit", predicted="3")])
        kept.label([labelled(7, 2, "3", "ground_truth", predicted="2")])
        found = tally(connection)
    assert (found[Count("labelled", 1)], found[Count("errors", 1)], found[Count("labelled", 0)]) == (1, 0, 0)
    assert found[Count("repeats")] == 1


def test_an_outcome_that_nobody_can_read_gives_way_to_the_units_next() -> None:
    with book(UNPAIRED) as (kept, connection):
        kept.label([labelled(1, 5, "3", "audit", predicted="3")])
        kept.label([labelled(2, 5, "3", "audit", predicted="2")])
        assert tally(connection)[Count("errors", 1)] == 0
        assert kept.label([labelled(1, 5, UNREADABLE, "ground_truth", predicted="3")])
        found = tally(connection)
    assert (found[Count("labelled", 1)], found[Count("errors", 1)]) == (1, 1)
