import stat
import sys
from pathlib import Path

import psycopg
import pytest

from serving.gateway.commands import database_password

VARIABLE = "DROPSERVE_DATABASE_PASSWORD"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for a database, beside one for its password."""
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "secret").mkdir()
    (tmp_path / "database").mkdir()
    monkeypatch.setattr(sys, "argv", ["database_password", f"{tmp_path}/secret", f"{tmp_path}/database"])
    return tmp_path / "database"


def made(database: Path) -> str:
    """Run the command; return the password, which both files hold."""
    assert database_password.main() == 0
    folder = database.parent / "secret"
    password = (folder / "password").read_text()
    assert (folder / "pgpass").read_text() == f"*:*:*:*:{database_password.escaped(password)}\n"
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {
        "password": 0o644,
        "pgpass": 0o600,
    }
    return password


def test_a_password_is_made_once(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = made(database)
    assert len(first) == 32
    (database / "PG_VERSION").write_text("17")
    assert made(database) == first
    assert capsys.readouterr().out == ""


def test_each_installation_has_its_own(database: Path) -> None:
    first = made(database)
    (database.parent / "secret" / "password").unlink()
    assert made(database) != first


def test_the_variable_wins(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(database)
    monkeypatch.setenv(VARIABLE, r"a:b\c")
    assert made(database) == r"a:b\c"
    monkeypatch.delenv(VARIABLE)
    assert made(database) == r"a:b\c"


def test_a_database_of_an_earlier_release_keeps_its_password(
    database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (database / "PG_VERSION").write_text("17")
    for _ in range(2):  # at each start, until it is changed
        assert made(database) == "dropserve"
        out = capsys.readouterr().out
        assert "ALTER ROLE dropserve PASSWORD 'NEW'" in out
        assert "set DROPSERVE_DATABASE_PASSWORD=NEW in .env" in out
    monkeypatch.setenv(VARIABLE, "NEW")
    assert made(database) == "NEW"
    assert capsys.readouterr().out == ""


def test_a_folder_that_only_postgresql_may_read_holds_a_database(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    assert database_password.exists(database)


def test_libpq_takes_it(database: Path, postgresql_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, r"a:b\c")
    made(database)
    monkeypatch.setenv("PGPASSFILE", f"{database.parent}/secret/pgpass")
    with psycopg.connect(postgresql_server) as connection:
        assert connection.info.password == r"a:b\c"


def test_both_folders_are_wanted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["database_password", "one"])
    assert database_password.main() == 2
    assert "give a folder for the password, and the database's folder" in capsys.readouterr().err
