import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from serving.gateway.commands import migrate
from serving.gateway.errors import Unavailable
from serving.gateway.store.schema import HEAD, MIGRATIONS
from serving.gateway.store.store import Store
from serving.gateway.store.tables import metadata
from testing.machine import ROOT

BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


@BOTH
def test_the_migrations_make_the_tables_that_the_code_uses(store: Store) -> None:
    with store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_newest_migration_is_known() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


@BOTH
def test_several_workers_migrate_at_once(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        Path(database_url.removeprefix("sqlite:///")).unlink()
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: run_migrate(database_url), range(4)))
    assert codes == [0] * 4
    store = Store(database_url)
    with store.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM state")).scalar() == 1
    store.close()


def run_migrate(url: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", migrate.__name__], cwd=ROOT, env={"GATEWAY_DATABASE_URL": url}, timeout=60
    ).returncode


@BOTH
def test_a_database_of_a_later_gateway_is_left_alone(database_url: str) -> None:
    first, second = Store(database_url), Store(database_url)
    with first.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match=r"The database's schema cannot be brought up to date: .*9999"), second.read():
        pass
    first.close()
    second.close()
