import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.lifecycle import Act
from serving.gateway.experiments.recorder import Recorder
from serving.gateway.experiments.retention import Retention, remind
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store.exposures import Exposure
from serving.gateway.store.images import ImageAnswers
from serving.gateway.store.retention import Quotas
from serving.gateway.store.store import Store
from serving.gateway.store.tables import exposures, feedback, images, state
from testing.api import json_of
from testing.fake_model_server import FakeModelServer, shifted
from testing.running_gateway import WarmGateway
from testing.traffic import PAIRED, act, predict, report, start
from testing.waiting import eventually

BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
LIMITS = Quotas(30, 10_000, 1000)


def add_label(store: Store, days: float) -> None:
    with store.write() as connection:
        row = {"prediction": f"{days}", "source": "user", "label": "1", "predicted": "1", "variant": "a", "version": 1}
        connection.execute(insert(feedback).values({**row, "at": time.time() - days * 24 * 3600}))


def labels(store: Store) -> list[str]:
    with store.read() as connection:
        return sorted(connection.execute(select(feedback.c.prediction)).scalars())


def notices(log: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in log.records if each.getMessage().startswith("Retention begins")]


def later(store: Store, seconds: float) -> None:
    """Let time pass since the last turn."""
    with store.write() as connection:
        connection.execute(update(state).values(retained_at=state.c.retained_at - seconds))


@BOTH
def test_a_store_of_an_earlier_release_gets_a_notice_and_an_hour(
    store: Store, database_url: str, gateway_log: pytest.LogCaptureFixture
) -> None:
    add_label(store, 31)
    add_label(store, 1)
    other = Store(database_url)
    for each in (store, other, store):
        Retention(each, LIMITS).look()
    other.close()
    assert labels(store) == ["1", "31"]
    (line,) = notices(gateway_log)
    assert line == (
        "Retention begins in 60 minutes and deletes 1 labels outside experiments. It keeps 30 days "
        "(GATEWAY_RETENTION_DAYS), 10,000 exposures (GATEWAY_MAX_EXPOSURES) and 1,000 labels (GATEWAY_MAX_LABELS). "
        "To keep everything, set GATEWAY_RETENTION_DAYS=0 and larger numbers, and start again before."
    )
    later(store, 3600 + 60)
    Retention(store, LIMITS).look()
    assert labels(store) == ["1"]
    assert "retention deleted 1 labels outside experiments" in gateway_log.text


@BOTH
def test_rows_that_are_all_young_get_the_notice_too(store: Store, gateway_log: pytest.LogCaptureFixture) -> None:
    add_label(store, 29)
    Retention(store, LIMITS).look()
    (line,) = notices(gateway_log)
    assert line.startswith("Retention begins in 60 minutes. It keeps 30 days (GATEWAY_RETENTION_DAYS), 10,000 exp")
    add_label(store, 31)  # as time passes
    Retention(store, LIMITS).look()
    assert labels(store) == ["29", "31"]


@BOTH
def test_the_notice_is_repeated_until_the_first_run_is_due(store: Store, gateway_log: pytest.LogCaptureFixture) -> None:
    remind(store, LIMITS)
    assert notices(gateway_log) == []  # the first worker gives the first one
    add_label(store, 31)
    Retention(store, LIMITS).look()
    later(store, 1800)
    remind(store, LIMITS)
    first, second = notices(gateway_log)
    assert second == first.replace("60 minutes", "30 minutes")
    later(store, 1800)
    remind(store, LIMITS)
    Retention(store, LIMITS).look()
    later(store, 60)
    Retention(store, LIMITS).look()
    remind(store, LIMITS)
    assert len(notices(gateway_log)) == 2
    assert labels(store) == []


@pytest.mark.slow
def test_each_start_repeats_the_notice_once(
    store: Store, manifest_folder: Path, fake_server: FakeModelServer, capfd: pytest.CaptureFixture[str]
) -> None:
    add_label(store, 1)
    Retention(store, LIMITS).look()
    for _ in range(2):
        with WarmGateway(manifest_folder, fake_server.address, workers=2):
            pass
        assert capfd.readouterr().err.count("Retention begins in 60 minutes. It keeps 30 days") == 1


@BOTH
def test_a_new_store_begins_at_once_and_in_silence(store: Store, gateway_log: pytest.LogCaptureFixture) -> None:
    Retention(store, LIMITS).look()
    add_label(store, 31)
    Retention(store, LIMITS).look()  # before the next turn
    assert labels(store) == ["31"]
    assert not [record for record in gateway_log.records if record.name.endswith("retention")]
    later(store, 60)
    Retention(store, LIMITS).look()
    assert labels(store) == []


@pytest.mark.slow
def test_a_gateway_does_it_by_itself(store: Store, manifest_folder: Path, fake_server: FakeModelServer) -> None:
    add_label(store, 31)
    with store.write() as connection:
        connection.execute(update(state).values(retained_at=1))
    with WarmGateway(manifest_folder, fake_server.address, workers=1):  # over the same file
        eventually(lambda: labels(store) == [], "the old label to go")


@BOTH
def test_an_archived_experiment_keeps_no_pixels(
    client: FlaskClient, fake_server: FakeModelServer, store: Store
) -> None:
    fake_server.answer = shifted(fake_server.answer, {"dropout"})
    start(client, PAIRED)
    predict(client, 3, 3)
    eventually(lambda: report(client)["counts"]["compared"] == 2)
    act(client, "test", "stop")
    assert json_of(client.get("/experiments/test/disagreements"))["waiting"] == 2
    before = report(client)
    act(client, "test", "archive")
    with store.read() as connection:
        assert connection.execute(select(images.c.pixels, images.c.prediction_id)).all() == [(None, None)] * 2
    after = report(client)
    assert (before["counts"].pop("waiting"), after["counts"].pop("waiting")) == (2, 0)
    assert {**after, "as_of": None, "status": None} == {**before, "as_of": None, "status": None}


@BOTH
def test_what_arrives_after_the_end_of_an_experiment_is_not_kept(store: Store) -> None:
    by = Act("test")
    with store.write() as connection:
        for name in ("over", "runs"):
            lifecycle.create(connection, ExperimentSpec.model_validate({**PAIRED, "name": name}), by)
            lifecycle.step(connection, name, "start", by)
        for step in ("stop", "archive"):
            lifecycle.step(connection, "over", step, by)
    under_test = Recorder(store, lambda number: None)
    answered = (ImageAnswers("p", 1, (("1", 0.9), ("2", 0.9)), b"pixels"),)
    for number in (1, 1, 2):
        under_test.record(
            Exposure(
                id=f"{number}", experiment_id=number, phase=1, epoch=1, unit=1, assigned=0, served=0, propensity=0.5,
                images=1, milliseconds=1, failed=False, at=time.time(), answered=answered,
            )
        )  # fmt: skip
    under_test.close()
    with store.read() as connection:
        assert connection.execute(select(exposures.c.experiment_id)).scalars().all() == [2]
        assert connection.execute(select(images.c.experiment_id)).scalars().all() == [2]
