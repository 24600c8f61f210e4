import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from serving.gateway.commands import migrate
from serving.gateway.errors import Unavailable
from serving.gateway.store import engine
from serving.gateway.store.schema import HEAD, MIGRATIONS
from serving.gateway.store.store import Store
from serving.gateway.store.tables import metadata
from testing.waiting import PATIENCE

BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
# A fork of a process with gRPC's threads may wait for one that it does not have.
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def new_file(tmp_path: Path) -> Path:
    return tmp_path / "new.db"


@pytest.fixture
def new_store(new_file: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{new_file}")
    yield store
    store.close()


def migrate_together(others: Barrier) -> None:
    """Migrate once all others are ready to; end with the command's code."""
    others.wait()
    sys.exit(migrate.main())


@BOTH
def test_the_migrations_make_the_tables_that_the_code_uses(store: Store) -> None:
    with store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_newest_migration_is_known() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


@pytest.mark.parametrize("database_kind", ["new", "postgresql"])
@pytest.mark.slow
def test_several_processes_migrate_at_once(
    database_kind: str, request: pytest.FixtureRequest, new_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = database_kind == "new"
    url = f"sqlite:///{new_file}" if new else request.getfixturevalue("bare_database_url")
    monkeypatch.setenv("GATEWAY_DATABASE_URL", url)
    together = SPAWN.Barrier(4)
    processes = [SPAWN.Process(target=migrate_together, args=[together]) for _ in range(together.parties)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [0] * together.parties
    store = Store(url)
    with store.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM state")).scalar() == 1
    store.close()


@pytest.mark.slow
def test_migrations_wait_longer_for_others_than_requests_do(
    new_file: Path, new_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0)
    other = engine.sqlite_module().connect(new_file, isolation_level=None)
    with ThreadPoolExecutor(1) as pool:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        reading = pool.submit(revision, new_store)
        assert not wait([reading], 0.5).done
        other.execute("COMMIT")
        assert reading.result(60) == HEAD
    other.close()


def revision(store: Store) -> str:
    with store.read() as connection:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()


@BOTH
def test_a_database_of_a_later_gateway_is_left_alone(database_url: str) -> None:
    first, second = Store(database_url), Store(database_url)
    with first.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match=r"The database's schema cannot be brought up to date: .*9999"), second.read():
        pass
    first.close()
    second.close()
