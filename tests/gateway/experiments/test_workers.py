"""Experiments over several workers of a real gunicorn, and what is left when these are killed."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from serving.gateway.store.store import Store
from serving.gateway.store.tables import exposures
from testing.api import ADMIN
from testing.databases import postgresql
from testing.durability import Found, killer, torture
from testing.fake_model_server import FakeModelServer
from testing.running_gateway import Gateway
from testing.traffic import RAW, SPLIT

BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
pytestmark = pytest.mark.slow
WITHIN = 1.0  # seconds until every worker knows of a change
WORKER_KILLS, DATABASE_KILLS = 4, 2  # `make verify-durability` makes it 50


@pytest.fixture
def gateway(manifest_folder: Path, fake_server: FakeModelServer, database_url: str) -> Iterator[Gateway]:
    running = Gateway(manifest_folder, fake_server.address, workers=4, threads=8, database_url=database_url)
    yield running
    running.stop()


def post(gateway: Gateway, path: str, **body: Any) -> None:
    requests.post(f"{gateway.url}/{path}", json=body, headers=ADMIN, timeout=20).raise_for_status()


def answers(gateway: Gateway, **headers: str) -> list[tuple[str | None, str]]:
    """Return the experiments and variants of so many answers that every worker has given some."""
    every = [
        requests.post(f"{gateway.url}/predict", data=bytes(784), headers={"Content-Type": RAW, **headers}, timeout=20)
        for _ in range(60)
    ]
    return [(answer.json()["experiment"], answer.json()["variant"]) for answer in every]


@BOTH
def test_four_workers_agree_within_a_second(gateway: Gateway) -> None:
    answers(gateway)
    for path, body, expected in [
        ("variants/dropout/promote", {}, {(None, "dropout")}),
        ("experiments", SPLIT, {(None, "dropout")}),
        ("experiments/test/start", {}, {("test", "plain"), ("test", "dropout")}),
        ("experiments/test/pause", {}, {(None, "dropout")}),
        ("experiments/test/resume", {}, {("test", "plain"), ("test", "dropout")}),
        ("experiments/test/stop", {}, {(None, "dropout")}),
        ("variants/rollback", {}, {(None, "plain")}),
    ]:
        post(gateway, path, **body)
        time.sleep(WITHIN)  # the promise under test
        assert set(answers(gateway)) == expected


@BOTH
def test_a_unit_has_one_arm_in_all_workers_and_after_a_restart(
    gateway: Gateway, manifest_folder: Path, fake_server: FakeModelServer, database_url: str
) -> None:
    post(gateway, "experiments", **SPLIT)
    post(gateway, "experiments/test/start")
    time.sleep(WITHIN)
    (before,) = set(answers(gateway, **{"X-Unit-Id": "ada"}))
    gateway.stop()
    again = Gateway(manifest_folder, fake_server.address, workers=2, database_url=database_url)
    assert set(answers(again, **{"X-Unit-Id": "ada"})) == {before}
    again.stop()


@BOTH
def test_workers_that_end_write_what_they_have(gateway: Gateway, database_url: str) -> None:
    post(gateway, "experiments", **SPLIT)
    post(gateway, "experiments/test/start")
    time.sleep(WITHIN)
    exposed = sum(experiment is not None for experiment, _ in answers(gateway))
    assert gateway.stop() == 0
    store = Store(database_url)
    with store.read() as connection:
        assert len(connection.execute(exposures.select()).all()) == exposed == 60
    store.close()


@BOTH
def test_every_acknowledged_label_survives_killed_workers(gateway: Gateway, database_url: str) -> None:
    found = torture(gateway, database_url, killer(gateway), WORKER_KILLS)
    assert found == Found(found.acknowledged, lost=0, problems=[])


def test_every_acknowledged_label_survives_a_killed_database(
    manifest_folder: Path, fake_server: FakeModelServer
) -> None:
    with postgresql() as database:
        gateway = Gateway(manifest_folder, fake_server.address, workers=2, database_url=database.url)
        found = torture(gateway, database.url, lambda _: database.restart(), DATABASE_KILLS)
    assert found == Found(found.acknowledged, lost=0, problems=[])
