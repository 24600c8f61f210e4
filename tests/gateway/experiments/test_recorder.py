import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from serving.gateway.errors import Unavailable
from serving.gateway.experiments import lifecycle, recorder
from serving.gateway.experiments.lifecycle import Act
from serving.gateway.experiments.recorder import Recorder
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store import counts, exposures
from serving.gateway.store.counts import Count
from serving.gateway.store.exposures import Asked, Exposure
from serving.gateway.store.store import Store
from serving.gateway.store.tables import exposures as table
from testing.traffic import SPLIT
from testing.trials import Trial, spec
from testing.waiting import eventually

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


class Flaky(Store):
    """A store that can be taken away."""

    gone = threading.Event()

    @contextmanager
    def write(self, *, hurried: bool = False) -> Iterator[Any]:
        if self.gone.is_set():
            raise Unavailable("gone")
        with super().write(hurried=hurried) as connection:
            yield connection


@pytest.fixture
def flaky(database_url: str) -> Iterator[Flaky]:
    made = Flaky(database_url)
    with made.write() as connection:
        lifecycle.create(connection, ExperimentSpec.model_validate(SPLIT), Act("test"))
        lifecycle.step(connection, "test", "start", Act("test"))
    yield made
    made.gone.clear()
    made.close()


def exposure(number: int, images: int = 1) -> Exposure:
    asked = (Asked(0, 2.0, False, False, shadow=False, case=False, new_call=True),)
    return Exposure(f"id {number}", 1, 1, 1, number, 0, 0, 0.5, images, 2.0, False, time.time(), asked)


def written(store: Store) -> int:
    with store.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_what_waits_is_written_once_the_store_is_back(flaky: Flaky, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "RETRY_SECONDS", 0.01)
    flaky.gone.set()
    dropped: list[int] = []
    under_test = Recorder(flaky, dropped.append)
    for number in range(10):
        under_test.record(exposure(number))
    assert written(flaky) == 0
    flaky.gone.clear()
    eventually(lambda: written(flaky) == 10)
    assert dropped == []
    under_test.close()


def test_more_than_fits_is_dropped_and_counted(flaky: Flaky, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MOST_WAITING", 25)
    flaky.gone.set()
    dropped: list[int] = []
    under_test = Recorder(flaky, dropped.append)
    for number in range(4):
        under_test.record(exposure(number, images=10))
    assert dropped == [1, 1]
    flaky.gone.clear()
    under_test.close()
    assert written(flaky) == 2


def test_closing_writes_what_waits(flaky: Flaky) -> None:
    under_test = Recorder(flaky, lambda _: None)
    for number in range(1200):
        under_test.record(exposure(number))
    under_test.close()
    assert written(flaky) == 1200


def test_what_is_written_twice_counts_once(flaky: Flaky) -> None:
    """A batch is tried again when the word of its commit was lost."""
    batch = [exposure(number) for number in range(5)]
    for _ in range(2):
        with flaky.write() as connection:
            exposures.lock(connection, {1})
            exposures.write(connection, batch, {}, b"")
    with flaky.write() as connection:
        exposures.write(connection, [*batch, replace(batch[0], id="another")], {}, b"")  # of a unit that is known
    with flaky.read() as connection:
        tally = counts.read(connection, 1)[1]
    assert (tally[Count("units")], tally[Count("requests")], written(flaky)) == (5, 6, 6)


def test_a_unit_is_one_case_of_a_guardrail_however_often_it_fails(flaky: Flaky) -> None:
    def failing(number: int, unit: int, *, shadow: bool = False, case: bool = True) -> Exposure:
        fine = exposure(number)
        return replace(fine, unit=unit, asked=(*fine.asked, Asked(1, 9.0, True, True, shadow, case, case)))

    given = [
        failing(1, 5), failing(2, 5), failing(3, 6), failing(4, 5, shadow=True),
        failing(5, 7, case=False), failing(6, 8, shadow=True),
    ]  # fmt: skip
    for each in (given[:2], given[2:]):
        with flaky.write() as connection:
            exposures.lock(connection, {1})
            exposures.write(connection, each, {}, b"")
    with flaky.read() as connection:
        tally = counts.read(connection, 1)[1]
    for kind in ("failed", "slow"):
        assert (tally[Count(f"case_{kind}", 1)], tally[Count(f"case_{kind}_shadow", 1)]) == (2, 2)
        assert tally[Count(f"case_{kind}", 0)] == 0
    assert (tally[Count("requests", 1)], tally[Count("failures", 1)]) == (6, 6)
    assert [tally[Count(name, 1)] for name in ("calls", "calls_shadow")] == [3, 2]
    assert [tally[Count(name, 0)] for name in ("calls", "calls_shadow")] == [6, 0]


def test_an_exposure_of_an_unknown_experiment_holds_no_other_up(flaky: Flaky) -> None:
    """A backup that was restored under a running gateway may lack an experiment."""
    under_test = Recorder(flaky, lambda _: None)
    for each in (replace(exposure(1), experiment_id=99), exposure(2)):
        under_test.record(each)
    under_test.close()
    assert written(flaky) == 1


def test_an_exposure_of_an_unknown_phase_holds_no_other_up(store: Store) -> None:
    trial = Trial(store, spec(0.5, 0.5, paired=True))
    sent: list[Exposure] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "write", sent.extend)
        trial.send([0, 1], [("1", "7")] * 2)
    under_test = Recorder(store, lambda _: None)
    for each in (replace(sent[0], phase=2), sent[1]):
        under_test.record(each)
    under_test.close()
    with store.read() as connection:
        assert counts.read(connection, trial.row().id)[1][Count("disagreements")] == 1


def test_answers_of_another_arm_are_counted_apart(flaky: Flaky) -> None:
    given = [replace(exposure(number), served=served) for number, served in enumerate((0, 1, 1, None))]
    with flaky.write() as connection:
        exposures.lock(connection, {1})
        exposures.write(connection, given, {}, b"")
    with flaky.read() as connection:
        assert counts.read(connection, 1)[1][Count("stand_ins", 0)] == 2
