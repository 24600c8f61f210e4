"""The store is locked, gone, or its disk takes no more, while an experiment runs: predictions go on."""

import itertools
import json
import resource
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from serving.gateway.store.engine import sqlite_module
from testing.api import ADMIN
from testing.databases import postgresql
from testing.manifest import MANIFEST
from testing.running_gateway import Gateway, WarmGateway
from testing.traffic import SPLIT
from testing.waiting import PATIENCE, eventually
from tests.gateway.faults.conftest import StandIn
from tests.gateway.faults.load import Load

pytestmark = pytest.mark.slow
HALF_A_PAGE = 2048  # bytes: at the end of a file that long no page fits

numbers = itertools.count()

Fault = Callable[[Gateway, Path], Any]


@contextmanager
def locked(gateway: Gateway, folder: Path) -> Iterator[None]:
    with closing(sqlite_module().connect(folder / "experiments.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def full(gateway: Gateway, folder: Path) -> Iterator[None]:
    limits = [(worker, worker.rlimit(resource.RLIMIT_FSIZE)) for worker in gateway.workers()]
    for worker, (_, most) in limits:
        worker.rlimit(resource.RLIMIT_FSIZE, (HALF_A_PAGE, most))
    try:
        yield
    finally:
        for worker, limit in limits:
            worker.rlimit(resource.RLIMIT_FSIZE, limit)


@pytest.mark.parametrize("fault", [locked, full])
def test_predictions_go_on_without_the_store(fault: Fault, gateway: Gateway, load: Load, manifest_folder: Path) -> None:
    with experiment(gateway, load), fault(gateway, manifest_folder):
        go_on_without(gateway, load)


def test_predictions_go_on_while_the_database_server_is_gone(tmp_path: Path, model_server: StandIn) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    with (
        postgresql() as database,
        WarmGateway(tmp_path, model_server.address, quiet=True, workers=2, database_url=database.url) as gateway,
    ):
        with Load(gateway.url) as load, experiment(gateway, load):
            database.kill()
            go_on_without(gateway, load)
            database.start()
        assert gateway.stop() == 0


@contextmanager
def experiment(gateway: Gateway, load: Load) -> Iterator[None]:
    """Start one, and have it answer; at the end the store has to take feedback again."""
    name = f"experiment_{next(numbers)}"
    post(gateway, "experiments", {**SPLIT, "name": name})
    post(gateway, f"experiments/{name}/start", {})
    load.forget()
    eventually(lambda: set(load.variants()) == {"plain", "dropout"}, "answers of both arms")
    yield
    eventually(lambda: feedback(gateway).status_code == 201, "feedback that is taken again")
    assert set(load.statuses()) == {200}
    post(gateway, f"experiments/{name}/stop", {})


def post(gateway: Gateway, path: str, body: dict[str, Any]) -> None:
    """Call the API as an administrator."""
    requests.post(f"{gateway.url}/{path}", json=body, headers=ADMIN, timeout=PATIENCE).raise_for_status()


def go_on_without(gateway: Gateway, load: Load) -> None:
    """See predictions answered by both arms, for so long that exposures were to be written, and feedback refused."""
    load.forget()
    load.sees(200, 200)
    refused = feedback(gateway)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert set(load.statuses()) == {200} and set(load.variants()) == {"plain", "dropout"}


def feedback(gateway: Gateway) -> requests.Response:
    """Send a label for a new prediction."""
    raw = {"Content-Type": "application/octet-stream"}
    answer = requests.post(f"{gateway.url}/predict", data=bytes(784), headers=raw, timeout=PATIENCE)
    assert answer.ok, answer.text
    label = {"prediction_id": answer.json()["predictions"][0]["id"], "label": "3", "source": "user"}
    return requests.post(f"{gateway.url}/feedback", json=label, timeout=PATIENCE)
