"""Connect to PostgreSQL by psycopg, or to SQLite in a mode that keeps its commits safe."""

import importlib
import logging
import os
import stat
from contextlib import suppress
from types import ModuleType
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

logger = logging.getLogger(__name__)

BUSY_SECONDS = 5  # the wait for the transaction of another connection
VANISHED_SECONDS = 10.0  # after which PostgreSQL ends the transaction of a gateway that says nothing more in it
CONNECT_SECONDS = 3
# The system notices that the database's machine does not answer any more, where a query would wait for ever.
TCP = {"tcp_user_timeout": 10_000, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
JSON: dict[str, Any] = {
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}
POOL = {"pool_size": 8, "max_overflow": 8, "pool_timeout": 5}
BESIDE = ("-wal", "-shm", "-journal")  # suffixes of the files that SQLite keeps beside its own
OLDEST_SQLITE = (3, 35, 0)  # the first with RETURNING
# Execution options: the transaction writes; it may be lost in a power cut, so it need not wait for the disk.
WRITES, HURRIED = "writes", "hurried"
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


def connect(url: str | URL, busy_seconds: float | None = None) -> Engine:
    """Return the engine for `url`; connect at its first use. Raise UnusableDatabase.

    A connection waits `busy_seconds` at most for the transaction of another, BUSY_SECONDS unless given.
    """
    checked = database_url(url)
    busy_seconds = BUSY_SECONDS if busy_seconds is None else busy_seconds
    return (
        _postgresql(checked, busy_seconds)
        if checked.get_backend_name() == "postgresql"
        else _sqlite(checked, busy_seconds)
    )


def sqlite_module() -> ModuleType:
    """Return pysqlite3, which brings a newer SQLite, else Python's sqlite3."""
    try:
        return importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        return importlib.import_module("sqlite3")


def journal_mode(version: tuple[int, ...]) -> str:
    """Return the journal mode in which this version of SQLite keeps its commits; raise UnusableDatabase for old ones.

    From 3.7.0 on, several connections in WAL mode could lose commits; 3.51.3, 3.50.7 and 3.44.6 mend it.
    """
    text = ".".join(map(str, version))
    if version < OLDEST_SQLITE:
        raise UnusableDatabase(f"SQLite {text} is too old; install pysqlite3, or use PostgreSQL.")
    safe = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "WAL" if safe else "TRUNCATE"


def make_private(file: str) -> None:
    """Create the SQLite file where it is missing, and take it away from all users but its owner.

    SQLite gives the files beside it the same mode when it makes them.
    """
    with suppress(FileExistsError, FileNotFoundError):  # without its folder SQLite itself reports what is missing
        os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
    for path in (file, *(file + suffix for suffix in BESIDE)):
        try:
            mode = stat.S_IMODE(os.stat(path).st_mode)
            if mode & 0o077:
                os.chmod(path, mode & 0o700)
                logger.warning("%s had mode %04o; it is now its owner's alone (%04o)", path, mode, mode & 0o700)
        except FileNotFoundError:
            continue
        except OSError as error:
            logger.warning("%s is open to other users: %s; run: chmod 600 %s", path, error.strerror, path)


def _postgresql(url: URL, busy_seconds: float) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        **JSON,
        # psycopg returns text of a SQL_ASCII database as bytes unless told its encoding.
        connect_args={"connect_timeout": CONNECT_SECONDS, "client_encoding": "utf8", **TCP},
        pool_pre_ping=True,  # the database may have restarted
        **POOL,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        # Statements, since a pool such as PgBouncer refuses them among the parameters of a connection.
        limits = {"lock_timeout": busy_seconds, "idle_in_transaction_session_timeout": VANISHED_SECONDS}
        for name, seconds in limits.items():
            connection.execute(f"SET {name} = {round(1000 * seconds)}")
        connection.commit()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(HURRIED):
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    return engine


def _sqlite(url: URL, busy_seconds: float) -> Engine:
    module = sqlite_module()
    mode = journal_mode(module.sqlite_version_info)
    logger.info("SQLite %s, journal mode %s", module.sqlite_version, mode)
    engine = create_engine(url, module=module, connect_args={"timeout": busy_seconds}, **JSON, **POOL)

    @event.listens_for(engine, "do_connect")
    def keep_private(*connecting: object) -> None:
        if not url.query.get("uri"):  # then it is a URI that SQLite reads itself
            make_private(url.database or "")

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        connection.isolation_level = None  # `begin` below opens transactions, not the driver
        cursor = connection.cursor()
        for pragma in (f"journal_mode={mode}", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        # In WAL mode, NORMAL leaves the disk to the next FULL commit; the file stays whole either way.
        hurried = options.get(HURRIED) and mode == "WAL"
        connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if hurried else 'FULL'}")
        # A transaction that reads before it writes would fail after a write of another in between.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(WRITES) else "BEGIN")

    return engine
