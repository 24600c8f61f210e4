import sys

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from serving.gateway.commands import retention
from serving.gateway.commands.retention import delete_old
from serving.gateway.store import images
from serving.gateway.store.retention import Quotas
from serving.gateway.store.store import Store
from serving.gateway.store.tables import exposures
from serving.gateway.store.tables import images as table
from testing.api import json_of
from testing.fake_model_server import FakeModelServer, shifted
from testing.traffic import PAIRED, label, predict, report, start
from testing.waiting import eventually

NO_OTHERS = ", 0 labels outside experiments, 0 rows about units of archived experiments and 0 images kept for learning"
pytestmark = pytest.mark.slow
BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


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
@BOTH
def test_the_old_goes_and_the_counts_stay(client: FlaskClient, store: Store, old: str) -> None:
    before = report(client)
    assert delete_old(store, Quotas(9, 10**6, 10**6)) == f"Deleted 1 exposures, 9 images without a label{NO_OTHERS}."
    after = report(client)
    assert {**after, "as_of": None} == {**before, "as_of": None}
    assert label(client, old, "3") == 201
    later = report(client)
    assert later["labels"]["ground_truth"] == 2
    assert (later["counts"]["labelled"], later["counts"]["without_answers"]) == (1, 1)
    assert any("labels do not count" in note for note in later["notes"])


@BOTH
def test_images_wait_for_a_label_for_a_week(client: FlaskClient, store: Store, old: str) -> None:
    assert len(json_of(client.get("/experiments/test/disagreements"))["disagreements"]) == 2
    delete_old(store, Quotas(30, 10**6, 10**6))
    with store.read() as connection:
        assert len(images.queued(connection, 1, 100)) == 2


@BOTH
def test_only_so_many_images_wait(
    client: FlaskClient, fake_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MOST_QUEUED", 3)
    fake_server.answer = shifted(fake_server.answer, {"dropout"})
    start(client, PAIRED)
    predict(client, 3, 3, 3)
    eventually(lambda: report(client)["counts"]["compared"] == 3)
    predict(client, 4, 4)
    eventually(lambda: report(client)["counts"]["compared"] == 5)
    found = json_of(client.get("/experiments/test/disagreements"))
    assert (found["waiting"], len(found["disagreements"])) == (3, 3)


@BOTH
def test_the_command_does_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, database_url, "--days=1") == 0
    assert capsys.readouterr().out == f"Deleted 0 exposures, 0 images without a label{NO_OTHERS}.\n"


@pytest.mark.usefixtures("nobody_else_looks")
@BOTH
@pytest.mark.parametrize(
    ("setting", "arguments", "left"), [("9", [], 1), ("0", [], 2), ("0", ["--days=9"], 1), ("9", ["--days=0"], 0)]
)
def test_without_days_the_command_takes_those_of_the_settings(
    store: Store, old: str, database_url: str, monkeypatch: pytest.MonkeyPatch, setting: str, arguments: list[str],
    left: int,
) -> None:  # fmt: skip
    monkeypatch.setenv("GATEWAY_RETENTION_DAYS", setting)
    assert run(monkeypatch, database_url, *arguments) == 0
    with store.read() as connection:
        assert len(connection.execute(select(exposures)).all()) == left


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("mysql://x/y", "retention: GATEWAY_DATABASE_URL cannot be used: it must be sqlite:///FILE or"),
        ("sqlite:////missing/x.db", "retention: The store is unavailable; try again shortly."),
    ],
)
def test_the_command_says_what_is_wrong(
    url: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, url, "--days=1") == 1
    assert text in capsys.readouterr().err


def test_the_command_wants_a_number_of_days(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, "sqlite:///x.db", "--days=-1")
    assert "error: --days -1 cannot be used: it must be 0 or more" in capsys.readouterr().err


def run(monkeypatch: pytest.MonkeyPatch, url: str, *arguments: str) -> int:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", url)
    monkeypatch.setattr(sys, "argv", ["retention", *arguments])
    return retention.main()
