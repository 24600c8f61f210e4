"""Bring the database's schema up to date, with several processes at it at once."""

from pathlib import Path

from sqlalchemy import URL, Connection, Engine, inspect, text

from serving.gateway.errors import Unavailable
from serving.gateway.store.engine import WRITES, connect

HEAD = "0008"  # the newest revision in migrations/versions
MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x64726F70  # one number for all gateways on one PostgreSQL
PATIENCE_SECONDS = 60  # for another process's migrations, which take seconds on a busy machine


def bring_up_to_date(url: str | URL) -> None:
    """Run the missing migrations of the database at `url`, one process after the other; raise Unavailable."""
    engine = connect(url, busy_seconds=PATIENCE_SECONDS)
    try:
        with engine.begin() as connection:
            current = _revision(connection) == HEAD
        if not current:
            _migrate(engine)
    finally:
        engine.dispose()


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(engine: Engine) -> None:
    # Imported only where needed, for its megabytes, and before the transaction, which other processes wait for.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise Unavailable(f"The database's schema cannot be brought up to date: {error}.") from error
