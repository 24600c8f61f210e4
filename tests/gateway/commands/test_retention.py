import subprocess
import sys

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from serving.gateway.commands.retention import delete_older_than
from serving.gateway.store import shadows
from serving.gateway.store.store import Store
from serving.gateway.store.tables import exposures
from serving.gateway.store.tables import shadows as table
from testing.api import json_of
from testing.fake_model_server import FakeModelServer, shifted
from testing.machine import ROOT
from testing.traffic import PAIRED, label, predict, report, start
from testing.waiting import eventually

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


@pytest.fixture
def old(client: FlaskClient, fake_server: FakeModelServer, store: Store) -> str:
    """Twelve disagreements, ten of them of ten days ago and one of these labelled; return the id of an old one."""
    fake_server.answer = shifted(fake_server.answer, {"dropout"})
    start(client, PAIRED)
    ids = [each["id"] for each in predict(client, *[3] * 10)["predictions"]]
    label(client, ids[0], "3")
    eventually(lambda: report(client)["counts"]["compared"] == 10)
    with store.write() as connection:
        for each in (exposures, table):
            connection.execute(update(each).values(at=each.c.at - 10 * 24 * 3600))
    predict(client, 3, 3)
    eventually(lambda: report(client)["counts"]["compared"] == 12)
    return ids[1]


@pytest.mark.usefixtures("nobody_else_looks")
def test_the_old_goes_and_the_counts_stay(client: FlaskClient, store: Store, old: str) -> None:
    before = report(client)
    assert delete_older_than(store, 9) == "Deleted 1 exposures and the answers of all arms to 10 images."
    after = report(client)
    assert {**after, "as_of": None} == {**before, "as_of": None}
    assert label(client, old, "3") == 201
    assert report(client)["labels"]["ground_truth"] == 2


def test_images_wait_for_a_label_for_a_week(client: FlaskClient, store: Store, old: str) -> None:
    assert len(json_of(client.get("/experiments/test/disagreements"))["disagreements"]) == 2
    delete_older_than(store, 30)
    with store.read() as connection:
        assert len(shadows.queued(connection, 1, 100)) == 2


def test_only_so_many_images_wait(
    client: FlaskClient, fake_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadows, "MOST_QUEUED", 3)
    fake_server.answer = shifted(fake_server.answer, {"dropout"}, {3: 0.6, 4: 0.9})
    start(client, PAIRED)
    predict(client, 3, 3, 3)
    eventually(lambda: report(client)["counts"]["compared"] == 3)
    useful = predict(client, 4, 4)["predictions"]
    eventually(lambda: report(client)["counts"]["compared"] == 5)
    waiting = json_of(client.get("/experiments/test/disagreements"))["disagreements"]
    assert len(waiting) == 3
    assert {each["id"] for each in useful} < {each["prediction_id"] for each in waiting}


def test_the_command_does_it(database_url: str) -> None:
    command = [sys.executable, "-m", "serving.gateway.commands.retention", "--days", "1"]
    done = subprocess.run(
        command, cwd=ROOT, env={"GATEWAY_DATABASE_URL": database_url}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "Deleted 0 exposures and the answers of all arms to 0 images.\n")


@pytest.mark.parametrize(
    ("url", "days", "text"),
    [
        ("mysql://x/y", "1", "retention: The database 'mysql://x/y' cannot be used; it must be sqlite:///FILE or"),
        ("sqlite:////missing/x.db", "1", "retention: The store cannot be used at the moment; try again shortly."),
        ("sqlite:////missing/x.db", "-1", "error: --days -1 cannot be used: it must be 0 or more"),
    ],
)
def test_the_command_says_what_is_wrong(database_kind: str, url: str, days: str, text: str) -> None:
    command = [sys.executable, "-m", "serving.gateway.commands.retention", f"--days={days}"]
    done = subprocess.run(
        command, cwd=ROOT, env={"GATEWAY_DATABASE_URL": url}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert text in done.stderr
    assert "Traceback" not in done.stderr
