import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select

from serving.gateway.errors import Unavailable
from serving.gateway.learning import keeper
from serving.gateway.learning.keeper import Answered, Keeper
from serving.gateway.store.store import Store
from serving.gateway.store.tables import kept_images
from testing.waiting import eventually


def request(number: int, images: int, unit: str = "a") -> Answered:
    return Answered(f"{number:024x}", unit, "plain", 2, ["3"] * images, bytes(range(images)), 1)


def rows(store: Store) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(select(kept_images).order_by(kept_images.c.prediction)).all())


def test_each_image_is_kept_with_its_pixels_and_its_unit(store: Store) -> None:
    keeping = Keeper(store, 100)
    keeping.keep(request(1, 2))
    keeping.keep(request(2, 1, "b"))
    keeping.close()
    first, second, third = rows(store)
    assert [(each.pixels, each.variant, each.version) for each in (first, second)] == [
        (b"\0", "plain", 2), (b"\1", "plain", 2),
    ]  # fmt: skip
    assert (first.image, first.unit) == (third.image, second.unit)
    assert (first.unit == third.unit, first.image == second.image) == (False, False)


def test_a_flush_writes_a_sample(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "MOST_A_FLUSH", 5)
    monkeypatch.setattr(keeper, "FLUSH_SECONDS", 3600)
    keeping = Keeper(store, 100)
    for number in range(10):
        keeping.keep(request(number, 10))
    keeping.close()
    assert len(rows(store)) == 5


def test_a_queued_image_holds_its_own_pixels_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "FLUSH_SECONDS", 3600)
    keeping = Keeper(store, 100)
    keeping.keep(request(1, 100))
    tracked = {len(each) for item in keeping._heap for each in item if isinstance(each, bytes)}
    assert tracked == {1}
    keeping.close()


def test_no_transaction_begins_without_images(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[bool] = []

    class Counting(Store):
        @contextmanager
        def write(self, *, hurried: bool = False) -> Iterator[Any]:
            begun.append(True)
            with super().write(hurried=hurried) as connection:
                yield connection

    waits = threading.Semaphore(0)
    wait = threading.Event.wait

    def counted(self: threading.Event, timeout: float | None = None) -> bool:
        waits.release()
        return wait(self, timeout)

    monkeypatch.setattr(keeper, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(threading.Event, "wait", counted)
    counting = Counting(database_url)
    keeping = Keeper(counting, 100)
    keeping.keep(request(1, 1))
    for _ in range(6):  # one is that of the thread's start
        assert waits.acquire(timeout=30)
    keeping.close()
    counting.close()
    assert begun == [True]


def test_images_survive_a_store_that_is_away(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tried, gone = threading.Event(), threading.Event()

    class Flaky(Store):
        @contextmanager
        def write(self, *, hurried: bool = False) -> Iterator[Any]:
            if gone.is_set():
                tried.set()
                raise Unavailable("gone")
            with super().write(hurried=hurried) as connection:
                yield connection

    monkeypatch.setattr(keeper, "FLUSH_SECONDS", 0.01)
    store = Flaky(database_url)
    keeping = Keeper(store, 100)
    gone.set()
    keeping.keep(request(1, 3))
    assert tried.wait(30)
    gone.clear()
    eventually(lambda: len(rows(store)) == 3)
    keeping.close()
    store.close()
