import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from serving.gateway.errors import Unavailable
from serving.gateway.experiments import cache as cache_module
from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.cache import ExperimentCache, Snapshot, Watched
from serving.gateway.experiments.lifecycle import Act
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.manifest import Manifest
from serving.gateway.store.store import Store
from testing.manifest import MANIFEST
from testing.traffic import SPLIT
from testing.waiting import PATIENCE, eventually

BY = Act("test")
PUBLISHED = Manifest.model_validate(MANIFEST)


def test_a_look_under_way_is_finished_before_the_end(store: Store) -> None:
    looking, go_on = threading.Event(), threading.Event()
    seen: list[Snapshot] = []

    def look(snapshot: Snapshot) -> None:
        looking.set()
        go_on.wait()
        seen.append(snapshot)

    cache = ExperimentCache(store, look)
    threading.Thread(target=cache.current).start()
    looking.wait()
    threading.Timer(0.05, go_on.set).start()
    cache.close()
    assert len(seen) == 1


def start(store: Store) -> None:
    with store.write() as connection:
        lifecycle.create(connection, ExperimentSpec.model_validate(SPLIT), BY)
        lifecycle.step(connection, "test", "start", BY, manifest=PUBLISHED)


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_what_another_worker_started_is_looked_up(store: Store) -> None:
    cache = ExperimentCache(store)
    assert cache.look_up().running == {}
    start(store)
    running = cache.look_up().running["test"]
    assert (running.phase, running.epoch, running.versions) == (1, 1, (7, 7))


@pytest.mark.parametrize(
    ("step", "watched"),
    [(None, {"plain": 7, "dropout": 7}), ("pause", {"plain": 7, "dropout": 7}), ("stop", {}), ("archive", None)],
)
def test_an_experiment_is_watched_while_it_takes_labels(
    store: Store, step: str | None, watched: dict[str, int] | None
) -> None:
    start(store)
    with store.write() as connection:
        for each in ("stop", "archive") if step == "archive" else filter(None, [step]):
            lifecycle.step(connection, "test", each, BY)
    found = ExperimentCache(store).refresh().watched
    assert found == (() if watched is None else (Watched(1, "test", 1, watched),))


class Gone(Store):
    """A store that fails at each read, and counts them."""

    def __init__(self) -> None:
        self.reads = 0

    @contextmanager
    def read(self) -> Iterator[Any]:
        self.reads += 1
        raise Unavailable("gone")
        yield


def test_nobody_waits_for_what_follows_the_first_look(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may wait for the store, and predictions ask on the event loop."""
    monkeypatch.setattr(cache_module, "FIRST_REFRESH_SECONDS", PATIENCE)
    released, ended = threading.Event(), threading.Event()

    def follow(_: Snapshot) -> None:
        released.wait(PATIENCE)
        ended.set()

    cache = ExperimentCache(store, follow)
    assert cache.current() is not None
    assert not ended.is_set()
    released.set()
    cache.close()


def test_without_a_store_the_old_snapshot_decides_and_nobody_waits_again() -> None:
    store = Gone()
    cache = ExperimentCache(store)
    before = cache.look_up()
    assert cache.look_up() is before
    assert store.reads == 1
    with pytest.raises(Unavailable):
        cache.refresh()  # in the background it goes on trying
    assert store.reads == 2


def test_a_look_that_a_silent_store_holds_up_ends_soon(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its host does not even refuse; requests that name an experiment would wait for it, one after the other."""
    cache, silent, reads = ExperimentCache(store), threading.Event(), list[int]()
    before, read = cache.refresh(), store.read

    @contextmanager
    def wait(*arguments: Any, **named: Any) -> Iterator[Any]:
        reads.append(1)
        silent.wait(PATIENCE)
        with read(*arguments, **named) as connection:
            yield connection

    monkeypatch.setattr(cache_module, "LOOK_UP_SECONDS", 0.01)
    monkeypatch.setattr(store, "read", wait)
    start(store)
    assert [cache.look_up() is before for _ in range(2)] == [True, True]
    eventually(lambda: reads, "the first look to begin")
    assert len(reads) == 1
    silent.set()
    assert "test" in cache.refresh().running  # after which looks go on
    cache.close()
