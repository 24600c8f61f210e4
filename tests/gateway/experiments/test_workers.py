"""Experiments over several workers of a real gunicorn, and what is left when these are killed."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
from testing.manifest import MANIFEST, variant
from testing.running_gateway import Gateway, WarmGateway
from testing.traffic import RAW, SPLIT
from testing.waiting import PATIENCE, eventually

BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
pytestmark = pytest.mark.slow
WORKER_KILLS, DATABASE_KILLS = 4, 2  # `make verify-durability` makes it 50
ROUNDS = 5  # of starts

Answer = tuple[str | None, str]  # the experiment and the variant


@pytest.fixture
def workers() -> int:
    """The number of workers; two suffice where it does not matter."""
    return 2


@pytest.fixture
def gateway(manifest_folder: Path, fake_server: FakeModelServer, database_url: str, workers: int) -> Iterator[Gateway]:
    with WarmGateway(manifest_folder, fake_server.address, workers=workers, database_url=database_url) as running:
        yield running


def post(gateway: Gateway, path: str, **body: Any) -> None:
    requests.post(f"{gateway.url}/{path}", json=body, headers=ADMIN, timeout=PATIENCE).raise_for_status()


def answers(gateway: Gateway, **headers: str) -> list[Answer]:
    """Return so many answers that every worker has given some."""
    every = [
        requests.post(
            f"{gateway.url}/predict", data=bytes(784), headers={"Content-Type": RAW, **headers}, timeout=PATIENCE
        ).json()
        for _ in range(60)
    ]
    return [(answer["experiment"], answer["variant"]) for answer in every]


def of_one_unit(gateway: Gateway) -> set[Answer]:
    return set(answers(gateway, **{"X-Unit-Id": "ada"}))


def start(gateway: Gateway) -> list[Answer]:
    """Start an experiment and ask until every worker answers by it; return all answers."""
    post(gateway, "experiments", **SPLIT)
    post(gateway, "experiments/test/start")
    asked: list[Answer] = []

    def known() -> bool:
        asked.extend(last := answers(gateway))
        return {experiment for experiment, _ in last} == {"test"}

    eventually(known, "workers that all know of the experiment")
    return asked


@BOTH
@pytest.mark.parametrize("workers", [4])
def test_four_workers_come_to_agree(gateway: Gateway) -> None:
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
        eventually(lambda expected=expected: set(answers(gateway)) == expected, path)  # type: ignore[misc]


def named(gateway: Gateway, experiment: str) -> tuple[int, str | None]:
    """Request a prediction by an experiment, on a new connection; return the status and the answer's experiment."""
    answer = requests.post(
        f"{gateway.url}/predict?experiment={experiment}",
        data=bytes(784), headers={"Content-Type": RAW}, timeout=PATIENCE,
    )  # fmt: skip
    return answer.status_code, answer.json().get("experiment")


@BOTH
@pytest.mark.parametrize("workers", [4])
def test_a_start_is_known_to_every_worker_at_once(gateway: Gateway) -> None:
    """A request that names an experiment is answered by it from the moment in which its start is acknowledged."""
    with ThreadPoolExecutor(8) as clients:
        for number in range(ROUNDS):
            name = f"round_{number}"
            assert named(gateway, name) == (404, None)
            post(gateway, "experiments", **{**SPLIT, "name": name})
            assert named(gateway, name)[0] == 200  # by the default variant
            post(gateway, f"experiments/{name}/start")
            assert list(clients.map(named, [gateway] * 24, [name] * 24)) == [(200, name)] * 24


@BOTH
def test_a_new_version_begins_one_phase(gateway: Gateway, manifest_folder: Path) -> None:
    start(gateway)
    variants = [variant("plain"), {**variant("dropout"), "version": 8}]
    new = manifest_folder / "new.json"
    new.write_text(json.dumps({**MANIFEST, "variants": variants}))
    new.rename(manifest_folder / "manifest.json")
    shown = eventually(
        lambda: (e := requests.get(f"{gateway.url}/experiments/test", timeout=PATIENCE).json())["phase"] > 1 and e
    )
    time.sleep(1)  # in which the other workers look
    shown = requests.get(f"{gateway.url}/experiments/test", timeout=PATIENCE).json()
    assert shown["phase"] == 2
    assert [entry["action"] for entry in shown["log"]].count("version") == 1


@BOTH
def test_a_unit_has_one_arm_in_all_workers_and_after_a_restart(
    gateway: Gateway, manifest_folder: Path, fake_server: FakeModelServer, database_url: str
) -> None:
    start(gateway)
    before: set[Answer] = set()

    def agreed() -> bool:
        nonlocal before
        before = of_one_unit(gateway)
        return len(before) == 1

    eventually(agreed, "workers that agree on the unit's arm")
    assert {experiment for experiment, _ in before} == {"test"}
    gateway.stop()
    with WarmGateway(manifest_folder, fake_server.address, workers=1, database_url=database_url) as again:
        eventually(lambda: of_one_unit(again) == before, "the same arm")


@BOTH
def test_workers_that_end_write_what_they_have(gateway: Gateway, database_url: str) -> None:
    exposed = sum(experiment is not None for experiment, _ in start(gateway))
    assert gateway.stop() == 0
    store = Store(database_url)
    with store.read() as connection:
        assert len(connection.execute(exposures.select()).all()) == exposed
    store.close()


@BOTH
def test_every_acknowledged_label_survives_killed_workers(gateway: Gateway, database_url: str) -> None:
    found = torture(gateway, database_url, killer(gateway), WORKER_KILLS)
    assert found == Found(found.acknowledged, lost=0, problems=[])


def test_every_acknowledged_label_survives_a_killed_database(
    manifest_folder: Path, fake_server: FakeModelServer
) -> None:
    with (
        postgresql() as database,
        WarmGateway(manifest_folder, fake_server.address, workers=2, database_url=database.url) as gateway,
    ):
        found = torture(gateway, database.url, lambda _: database.restart(), DATABASE_KILLS)
    assert found == Found(found.acknowledged, lost=0, problems=[])
