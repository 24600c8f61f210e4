"""Bring the database's schema up to date, whichever of several workers comes first."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from serving.gateway.errors import Unavailable

HEAD = "0002"  # the newest revision in migrations/versions
MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x64726F70  # any number that all gateways on one PostgreSQL agree on


def bring_up_to_date(connection: Connection) -> None:
    """Run the migrations that are missing, within `connection`'s transaction, which has to be one that writes."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    if _revision(connection) != HEAD:
        _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    # Only here, since it takes a fifth of a second and megabytes that most starts do without.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Unavailable(f"The database's schema cannot be brought up to date: {error}.") from error
