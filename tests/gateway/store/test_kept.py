import time
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from serving.gateway.store import kept, retention
from serving.gateway.store.kept import KeptImage
from serving.gateway.store.retention import DAY_SECONDS, KEPT, Quotas
from serving.gateway.store.store import Store
from serving.gateway.store.tables import feedback, kept_images

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])

KEEPING = Quotas(30, 10**9, 10**9, most_kept=3, waiting_hours=24)


def image(number: int, draw: int = 5, days: float = 0, unit: int = 1) -> KeptImage:
    at = time.time() - days * DAY_SECONDS
    return KeptImage(f"p.{number}", unit, number, "3", "plain", 1, draw, bytes(784), at)


def keep(store: Store, *given: KeptImage, most: int = 3) -> int | None:
    with store.write() as connection:
        return kept.write(connection, given, most)


def label(store: Store, *numbers: int, label: str = "3", source: str = "audit") -> None:
    rows: list[dict[str, Any]] = [
        {"prediction": f"p.{number}", "source": source, "label": label, "predicted": "3", "variant": "plain",
         "version": 1, "at": time.time()}
        for number in numbers
    ]  # fmt: skip
    with store.write() as connection:
        connection.execute(insert(feedback), rows)


def there(store: Store) -> set[int]:
    with store.read() as connection:
        return {int(each.removeprefix("p.")) for each in connection.execute(select(kept_images.c.prediction)).scalars()}


def labelled(store: Store) -> list[tuple[str, str, str]]:
    with store.read() as connection:
        return [(row.prediction, row.label, row.source) for row in kept.labelled(connection)]


def test_the_smallest_draws_wait(store: Store) -> None:
    assert keep(store, image(0, 9), image(1, 4)) is None
    assert keep(store, image(2, 7), image(3, 1), image(4, 8)) == 7
    assert there(store) == {1, 2, 3}


def test_a_label_keeps_its_image_past_the_place_and_the_time_of_those_that_wait(store: Store) -> None:
    keep(store, image(0, 9), image(1, 8, days=2), image(2, 2, days=2))
    label(store, 0, 1)
    keep(store, image(3, 3))
    assert there(store) == {0, 1, 2, 3}
    retention.run(store, KEEPING, lambda seconds: None)
    assert there(store) == {0, 1, 3}
    assert [each[0] for each in labelled(store)] == ["p.0", "p.1"]


def test_the_oldest_labelled_images_go_first(store: Store) -> None:
    label(store, *range(6))
    for number in range(6):
        keep(store, image(number, draw=10 - number, days=6 - number))
    assert len(there(store)) == 6  # three wait, three have settled
    for number in range(6, 9):
        keep(store, image(number, draw=0))
    assert there(store) == {3, 4, 5, 6, 7, 8}


def test_a_lower_bound_is_reached_step_by_step(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_AT_ONCE", 2)
    keep(store, *(image(number, draw=number) for number in range(6)), most=6)
    found = []
    for _ in range(4):
        keep(store, most=1)
        found.append(there(store))
    assert found == [{0, 1, 2, 3}, {0, 1}, {0}, {0}]


def test_the_label_in_force_counts(store: Store) -> None:
    keep(store, image(0))
    label(store, 0, label="1", source="user")
    label(store, 0, label="7", source="ground_truth")
    label(store, 0, label="2", source="audit")
    assert labelled(store) == [("p.0", "7", "ground_truth")]
    with store.read() as connection:
        assert kept.count_labelled(connection) == ([("7", "ground_truth", 1)], 1)


def test_labels_of_kept_images_go_with_these_alone(store: Store) -> None:
    keep(store, image(0))
    label(store, 0, 1, 2)
    retention.run(store, KEEPING._replace(most_labels=1), lambda seconds: None)
    assert labelled(store) == [("p.0", "3", "audit")]
    with store.read() as connection:
        left = set(connection.execute(select(feedback.c.prediction)).scalars())
    assert len(left) == 2  # the other labels have the quota


def test_labels_from_before_images_were_kept_say_nothing_about_their_share(store: Store) -> None:
    label(store, 0)
    with store.read() as connection:
        assert kept.share_with_pixels(connection) is None
    with store.write() as connection:
        connection.execute(update(feedback).values(at=time.time() - DAY_SECONDS))
    keep(store, image(1))
    label(store, 1, 2)
    with store.read() as connection:
        assert kept.share_with_pixels(connection) == 0.5


@pytest.mark.parametrize(
    ("quotas", "left"),
    [
        (KEEPING, {1, 2, 3}),
        (KEEPING._replace(most_kept=1), {2, 3}),
        (KEEPING._replace(most_kept=0), {1, 2, 3}),  # of a command that does not have the gateways' settings
        (Quotas(None, 10**9, 10**9), {0, 1, 2}),
    ],
)
def test_retention_deletes_kept_images_that_are_old_or_too_many(
    store: Store, quotas: Quotas, left: set[int]
) -> None:  # fmt: skip
    label(store, 0, 1, 2)
    keep(store, image(0, days=31), image(1, days=3), image(2, days=2), image(3), image(4, days=4), most=9)
    with store.read() as connection:
        counted = retention.to_go(connection, quotas)
    retention.run(store, quotas, lambda seconds: None)
    assert there(store) == left
    assert counted[KEPT] == 5 - len(left)


def test_a_notice_comes_before_kept_images_go(store: Store) -> None:
    keep(store, image(0))
    with store.read() as connection:
        assert retention.needs_notice(connection)
