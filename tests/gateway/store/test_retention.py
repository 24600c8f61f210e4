import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sqlalchemy import Table, insert, select, update

from serving.gateway.store import retention
from serving.gateway.store.retention import DAY_SECONDS, NOTICE_SECONDS, Quotas
from serving.gateway.store.store import Store, bump
from serving.gateway.store.tables import experiments, exposures, feedback, images, state, unit_results, units

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])

ALL = Quotas(None, 10**9, 10**9)
RUNNING, ARCHIVED = 1, 2


@pytest.fixture
def add(store: Store) -> Callable[..., None]:
    """Give a function that adds rows of given ages in days, to a store with a running and an archived experiment."""
    with store.write() as connection:
        for number, status in ((RUNNING, "running"), (ARCHIVED, "archived")):
            row = {"id": number, "name": status, "spec": {}, "status": status, "phase": 1, "created_at": 0}
            connection.execute(insert(experiments).values(row))

    def to(table: Table, ages: Iterable[float], **more: Any) -> None:
        now = time.time()
        rows: dict[Table, dict[str, Any]] = {
            exposures: {
                "experiment_id": RUNNING, "phase": 1, "unit": 1, "assigned": 0, "propensity": 1, "images": 1,
                "milliseconds": 1, "failed": False,
            },
            images: {"experiment_id": RUNNING, "epoch": 1, "phase": 1, "unit": 1, "assigned": 0, "draw": 0},
            feedback: {"source": "user", "label": "1", "predicted": "1", "variant": "plain", "version": 1},
        }  # fmt: skip
        keys = {exposures: "id", images: "image", feedback: "prediction"}
        with store.write() as connection:
            for number, age in enumerate(ages):
                key: Any = number if table is images else f"{number}.{more}"
                at = now - age * DAY_SECONDS
                connection.execute(insert(table).values({**rows[table], keys[table]: key, "at": at, **more}))

    return to


def ages(store: Store, table: Table) -> list[int]:
    """Return the ages in days of the rows that are left."""
    with store.read() as connection:
        found = connection.execute(select(table.c.at).order_by(table.c.at.desc())).scalars()
        return [round((time.time() - at) / DAY_SECONDS) for at in found]


def no_pause(seconds: float) -> None:
    pass


def run(store: Store, quotas: Quotas) -> dict[str, int]:
    return dict(+retention.run(store, quotas, no_pause))


@pytest.mark.parametrize("table", [exposures, images, feedback])
def test_rows_go_by_their_age_and_by_their_number(store: Store, add: Callable[..., None], table: Table) -> None:
    add(table, [1, 2, 3, 40, 41])
    assert run(store, ALL) == {}
    (name,) = (kind.name for kind in retention.KINDS if kind.table is table)
    assert run(store, ALL._replace(days=30)) == {name: 2}
    assert ages(store, table) == [1, 2, 3]
    assert run(store, Quotas(None, 2, 2)) == {name: 1}
    assert ages(store, table) == [1, 2]


def test_labels_of_experiments_and_labelled_images_stay(store: Store, add: Callable[..., None]) -> None:
    add(feedback, [40, 41], experiment_id=RUNNING)
    add(images, [40, 41], label="1", source="user")
    assert run(store, Quotas(30, 1, 1)) == {}
    assert ages(store, feedback) == ages(store, images) == [40, 41]


def test_units_go_with_archived_experiments_alone(store: Store, add: Callable[..., None]) -> None:
    with store.write() as connection:
        for number in (RUNNING, ARCHIVED):
            of = {"experiment_id": number, "unit": 1, "phase": 1}
            connection.execute(insert(units).values({**of, "arm": 0, "cases": 0}))
            connection.execute(insert(unit_results).values({**of, "epoch": 1, "pairs": []}))
    assert run(store, ALL) == {}
    assert run(store, ALL._replace(days=30)) == {retention.OF_ARCHIVED: 2}
    with store.read() as connection:
        for table in (units, unit_results):
            assert connection.execute(select(table.c.experiment_id)).scalars().all() == [RUNNING]


def test_rows_of_archived_experiments_are_foretold(store: Store, add: Callable[..., None]) -> None:
    add(exposures, [1, 40])
    with store.write() as connection:
        of = {"experiment_id": ARCHIVED, "unit": 1, "phase": 1}
        connection.execute(insert(units).values({**of, "arm": 0, "cases": 0}))
        connection.execute(insert(unit_results).values({**of, "epoch": 1, "pairs": []}))
    with store.read() as connection:
        assert retention.to_go(connection, ALL) == {}
        found = retention.to_go(connection, ALL._replace(days=30))
    assert found == {"exposures": 1, retention.OF_ARCHIVED: 2} == run(store, ALL._replace(days=30))


@pytest.mark.parametrize("table", [exposures, images, feedback, None])
def test_rows_of_any_age_need_a_notice_once(store: Store, add: Callable[..., None], table: Table | None) -> None:
    with store.read() as connection:
        assert not retention.needs_notice(connection)
    if table is not None:
        add(table, [0])
    else:
        with store.write() as connection:
            row = {"experiment_id": ARCHIVED, "unit": 1, "phase": 1, "arm": 0, "cases": 0}
            connection.execute(insert(units).values(row))
    with store.write() as connection:
        assert retention.needs_notice(connection)
        assert retention.put_off(connection)
        assert not retention.needs_notice(connection)
        assert not retention.put_off(connection)


def test_pixels_of_archived_experiments_are_forgotten(store: Store, add: Callable[..., None]) -> None:
    add(images, [0], pixels=b"p", prediction_id="a")
    add(images, [0], pixels=b"p", prediction_id="b", experiment_id=ARCHIVED)
    run(store, ALL)
    with store.read() as connection:
        kept = connection.execute(select(images.c.experiment_id, images.c.pixels, images.c.prediction_id)).all()
    assert sorted(map(tuple, kept)) == [(RUNNING, b"p", "a"), (ARCHIVED, None, None)]


def test_others_write_between_small_transactions(
    store: Store, database_url: str, add: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    add(exposures, [40] * 5)
    other, left = Store(database_url), []

    def write(seconds: float) -> None:
        with other.write() as connection:
            bump(connection)
        left.append(len(ages(store, exposures)))

    retention.run(store, ALL._replace(days=30), write)
    other.close()
    assert left[:3] == [3, 1, 0]


def test_a_worker_that_ends_stops_after_a_transaction(
    store: Store, add: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    add(exposures, [40] * 5)
    assert retention.run(store, ALL._replace(days=30), lambda seconds: True) == {"exposures": 2}


def test_rows_that_another_transaction_holds_wait_for_the_next_turn(
    store: Store, database_url: str, database_kind: str, add: Callable[..., None]
) -> None:
    if database_kind == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    add(images, [40, 41])
    with store.write() as connection:
        connection.execute(update(images).where(images.c.image == 0).values(draw=7))
        other = Store(database_url)
        assert run(other, ALL._replace(days=30)) == {"images without a label": 1}
        other.close()
    assert ages(store, images) == [40]


def test_one_worker_has_the_turn(store: Store, database_url: str) -> None:
    other = Store(database_url)

    def turns() -> list[bool]:
        found = []
        for each in (store, other):
            with each.write() as connection:
                found.append(retention.take_turn(connection))
        return found

    def last_turn(seconds_ago: float) -> None:
        with store.write() as connection:
            connection.execute(update(state).values(retained_at=time.time() - seconds_ago))

    assert turns() == [True, False]
    last_turn(10)
    assert turns() == [False, False]
    last_turn(60)
    assert turns() == [True, False]
    last_turn(-NOTICE_SECONDS)  # put off
    assert turns() == [False, False]
    last_turn(-100 * NOTICE_SECONDS)  # by a clock that was wrong
    assert turns() == [True, False]
    other.close()
