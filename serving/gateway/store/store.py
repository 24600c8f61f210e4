"""The store: transactions on a database whose schema is brought up to date before the first."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from sqlalchemy import URL, Connection, Table, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from serving.gateway.errors import Unavailable
from serving.gateway.store import engine, tables
from serving.gateway.store.schema import bring_up_to_date

logger = logging.getLogger(__name__)


class Store:
    """Transactions on one database; nothing is connected before the first."""

    def __init__(self, url: str | URL) -> None:
        """Prepare for the database at `url`; raise UnusableDatabase."""
        self._engine = engine.connect(url)
        self._lock = threading.Lock()
        self._one_writer = threading.Lock() if self._engine.dialect.name == "sqlite" else None
        self._current = False
        self._failing = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for one transaction that only reads; raise Unavailable where the database fails."""
        with self._transaction(self._engine) as connection:
            yield connection

    @contextmanager
    def write(self, *, hurried: bool = False) -> Iterator[Connection]:
        """Give a connection for one transaction that writes, committed at the end; raise Unavailable if it failed.

        What is committed survives the end of any process; and a power cut, unless it was `hurried`.
        """
        options = {engine.WRITES: True, engine.HURRIED: hurried}
        with self._turn(), self._transaction(self._engine.execution_options(**options)) as connection:
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let threads queue for SQLite, which takes one write at a time and makes others try again and again."""
        if self._one_writer is None:
            yield
            return
        if not self._one_writer.acquire(timeout=engine.BUSY_SECONDS):
            raise Unavailable("The store has more to write than it can; try again shortly.")
        try:
            yield
        finally:
            self._one_writer.release()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, engine: Any) -> Iterator[Connection]:
        try:
            self._prepare()
            with engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            self._note(error)
            raise Unavailable("The store cannot be used at the moment; try again shortly.") from error
        if self._failing:
            self._failing = False
            logger.info("the store works again")

    def _note(self, error: SQLAlchemyError) -> None:
        """Log the first failure of a row of them: background threads try several times a second."""
        if not self._failing:
            self._failing = True
            cause = error.orig if isinstance(error, DBAPIError) else error
            logger.warning("the store failed: %s", " ".join(str(cause).split()))

    def _prepare(self) -> None:
        if not self._current:
            with self._lock:
                if not self._current:
                    with self._engine.execution_options(**{engine.WRITES: True}).begin() as connection:
                        bring_up_to_date(connection)
                    self._current = True


def insert(dialect: str, table: Table) -> Any:
    """Return an INSERT for `table` that knows ON CONFLICT, which both databases spell alike."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)


def bump(connection: Connection) -> None:
    """Tell all workers, once this transaction is committed, that something changed."""
    connection.execute(update(tables.state).values(revision=tables.state.c.revision + 1))


def hold(connection: Connection) -> None:
    """Let no other make experiments or change the default variant until this transaction ends."""
    connection.execute(update(tables.state).values(revision=tables.state.c.revision))
