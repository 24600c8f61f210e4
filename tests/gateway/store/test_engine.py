import os
import sqlite3
import stat
from pathlib import Path

import pytest

from serving.gateway.errors import Unavailable
from serving.gateway.store import engine
from serving.gateway.store import experiments as rows
from serving.gateway.store.engine import UnusableDatabase, journal_mode
from serving.gateway.store.store import Store, bump
from testing.databases import new_database


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 40, 1), "TRUNCATE"), ((3, 44, 5), "TRUNCATE"), ((3, 44, 6), "WAL"), ((3, 45, 0), "TRUNCATE"),
        ((3, 50, 6), "TRUNCATE"), ((3, 50, 7), "WAL"), ((3, 51, 2), "TRUNCATE"), ((3, 51, 3), "WAL"),
        ((4, 0, 0), "WAL"),
    ],
)  # fmt: skip
def test_wal_is_used_only_where_it_keeps_every_commit(version: tuple[int, ...], mode: str) -> None:
    assert journal_mode(version) == mode


def test_a_sqlite_that_is_too_old_is_refused() -> None:
    with pytest.raises(UnusableDatabase, match=r"^SQLite 3.34.1 is too old; install pysqlite3, or use PostgreSQL.$"):
        journal_mode((3, 34, 1))


@pytest.mark.parametrize("url", ["", "mysql://root:secret@host/x", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_cannot_work_is_refused_without_telling_secrets(url: str) -> None:
    with pytest.raises(UnusableDatabase, match="it must be sqlite:///FILE or postgresql://") as caught:
        engine.connect(url)
    assert "secret" not in str(caught.value)


def test_pythons_own_sqlite_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engine, "sqlite_module", lambda: sqlite3)
    store = Store(f"sqlite:///{tmp_path}/a.db")
    with store.read() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        assert str(mode).upper() == journal_mode(sqlite3.sqlite_version_info)
    store.close()


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    def revision() -> int:
        with store.read() as connection:
            return connection.exec_driver_sql("SELECT revision FROM state").scalar_one()

    before = revision()
    with pytest.raises(ZeroDivisionError), store.write() as connection:
        bump(connection)
        _ = 1 / 0
    assert revision() == before


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/missing/a.db", f"postgresql://nobody@/x?host={tmp_path}"):
        store = Store(url)
        with (
            pytest.raises(Unavailable, match=r"^The store is unavailable; try again shortly.$"),
            store.read(),
        ):
            pass
        store.close()


def test_a_postgresql_without_an_encoding_gives_text(postgresql_server: str) -> None:
    options = "TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"
    with new_database(postgresql_server, options) as url:
        store = Store(url)
        with store.write() as connection:
            rows.log(connection, "Ådå", "create", "x", None)
        with store.read() as connection:
            assert [entry.who for entry in rows.logged(connection, "x")] == ["Ådå"]
        store.close()


@pytest.mark.parametrize(
    ("database_kind", "query", "values"),
    [("sqlite", "PRAGMA synchronous", [2, 1, 2]), ("postgresql", "SHOW synchronous_commit", ["on", "off", "on"])],
)
def test_only_a_hurried_commit_does_not_wait_for_the_disk(store: Store, query: str, values: list[object]) -> None:
    found = []
    for hurried in (False, True, False):
        with store.write(hurried=hurried) as connection:
            found.append(connection.exec_driver_sql(query).scalar())
    assert found == values


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def test_a_new_sqlite_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/a.db")
    with store.write() as connection:
        bump(connection)
        found = modes(tmp_path)
    store.close()
    assert set(found.values()) == {0o600}
    assert len(found) > 1  # a journal or a WAL, too


def test_a_sqlite_file_that_others_may_read_is_tightened(tmp_path: Path, gateway_log: pytest.LogCaptureFixture) -> None:
    before = Store(f"sqlite:///{tmp_path}/a.db")
    with before.write() as connection:
        bump(connection)
    for file in tmp_path.iterdir():  # as a release without this, or a copy, leaves them
        file.chmod(0o644)
    store = Store(f"sqlite:///{tmp_path}/a.db")
    with store.read() as connection:
        connection.exec_driver_sql("SELECT 1")
        assert set(modes(tmp_path).values()) == {0o600}
    for each in (before, store):
        each.close()
    assert f"{tmp_path}/a.db had mode 0644; it is now its owner's alone (0600)" in gateway_log.text


def test_a_sqlite_file_of_another_user_is_used_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gateway_log: pytest.LogCaptureFixture
) -> None:
    def refuse(path: str, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    (tmp_path / "a.db").touch(0o666)
    monkeypatch.setattr(os, "chmod", refuse)
    store = Store(f"sqlite:///{tmp_path}/a.db")
    with store.read() as connection:
        connection.exec_driver_sql("SELECT 1")
    store.close()
    assert f"a.db is open to other users: Operation not permitted; run: chmod 600 {tmp_path}/a.db" in gateway_log.text
