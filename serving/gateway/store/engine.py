"""Connect to the database: PostgreSQL by psycopg, or SQLite with what keeps its commits safe."""

import importlib
import logging
from types import ModuleType
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

logger = logging.getLogger(__name__)

BUSY_SECONDS = 5  # that SQLite waits for another's transaction
CONNECT_SECONDS = 3
POOL = {"pool_size": 8, "max_overflow": 8, "pool_timeout": 5}
OLDEST_SQLITE = (3, 35, 0)  # the first with RETURNING
WRITES = "writes"  # the execution option of connections whose transaction writes
HURRIED = "hurried"  # that of those whose transaction may be lost in a power cut, and so need not wait for the disk
DATABASES = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"


class UnusableDatabase(ValueError):
    """A database that no later event makes usable; the text is one line that says why."""


def database_url(text: str | URL) -> URL:
    """Read the URL of a database that the gateway can use; raise UnusableDatabase, whose text shows no password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise UnusableDatabase(f"The database's URL cannot be read; it must be {DATABASES}.") from error
    file = url.database if url.get_backend_name() == "sqlite" else None
    if url.get_backend_name() != "postgresql" and file in (None, "", ":memory:"):
        raise UnusableDatabase(f"The database {url.render_as_string()!r} cannot be used; it must be {DATABASES}.")
    return url


def connect(url: str | URL) -> Engine:
    """Return the engine for `url`; connect at its first use. Raise UnusableDatabase."""
    checked = database_url(url)
    return _postgresql(checked) if checked.get_backend_name() == "postgresql" else _sqlite(checked)


def sqlite_module() -> ModuleType:
    """Return pysqlite3, which brings a SQLite of its own, or Python's sqlite3 where there is none."""
    try:
        return importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        return importlib.import_module("sqlite3")


def journal_mode(version: tuple[int, ...]) -> str:
    """Return the mode in which this version of SQLite keeps its commits; raise UnusableDatabase for one too old.

    From 3.7.0 on, several connections in WAL mode could lose commits, fixed in 3.51.3, 3.50.7 and 3.44.6.
    """
    text = ".".join(map(str, version))
    if version < OLDEST_SQLITE:
        raise UnusableDatabase(f"SQLite {text} is too old; install pysqlite3, or use PostgreSQL.")
    safe = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "WAL" if safe else "TRUNCATE"


def _postgresql(url: URL) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        # A database without an encoding of its own (SQL_ASCII) gives bytes for text unless told.
        connect_args={"connect_timeout": CONNECT_SECONDS, "client_encoding": "utf8"},
        pool_pre_ping=True,  # the database may have been restarted since
        **POOL,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(HURRIED):
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    return engine


def _sqlite(url: URL) -> Engine:
    module = sqlite_module()
    mode = journal_mode(module.sqlite_version_info)
    logger.info("SQLite %s, journal mode %s", module.sqlite_version, mode)
    engine = create_engine(url, module=module, connect_args={"timeout": BUSY_SECONDS}, **POOL)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        connection.isolation_level = None  # transactions begin below, not where the driver guesses
        cursor = connection.cursor()
        for pragma in (f"journal_mode={mode}", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        # In WAL mode, NORMAL leaves the disk to the next commit that is FULL; the file stays whole either way.
        hurried = options.get(HURRIED) and mode == "WAL"
        connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if hurried else 'FULL'}")
        # A transaction that reads first and then writes would fail where another has written in between.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(WRITES) else "BEGIN")

    return engine
