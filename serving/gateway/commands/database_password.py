"""Make the password of the database that docker compose brings, once, in a folder for those on its store.

    python -m serving.gateway.commands.database_password FOLDER DATABASE

FOLDER gets `password` for PostgreSQL's first start and `pgpass` for the gateway. DATABASE is PostgreSQL's data folder.
DROPSERVE_DATABASE_PASSWORD, where it is set, is the password instead.
"""

import os
import secrets
import sys
from pathlib import Path

EARLIER = "dropserve"  # the password of databases that earlier releases made
NOTICE = (
    f"The database has no password here: it stays that of earlier releases, {EARLIER!r}, unless the volume "
    "database-password was lost. To set another one, run: "
    "docker compose exec database psql -U dropserve -c \"ALTER ROLE dropserve PASSWORD 'NEW'\". "
    "Then set DROPSERVE_DATABASE_PASSWORD=NEW in .env, and run: docker compose up -d"
)


def main() -> int:
    """Write both files; return the exit code."""
    if len(sys.argv) != 3:
        print("database_password: give a folder for the password, and the database's folder", file=sys.stderr)
        return 2
    folder, database = map(Path, sys.argv[1:])
    file = folder / "password"
    given = os.environ.get("DROPSERVE_DATABASE_PASSWORD", "")
    if given:
        password = given
    elif file.exists():
        password = file.read_text()
    elif exists(database):
        password = EARLIER
    else:
        password = secrets.token_urlsafe(24)
    if password == EARLIER and not given:
        print(NOTICE, flush=True)
    write(folder / "pgpass", f"*:*:*:*:{escaped(password)}\n", 0o600)  # libpq takes no file that others may read
    write(file, password, 0o644)  # PostgreSQL's user reads it; only containers on the store have the folder
    return 0


def exists(database: Path) -> bool:
    """Say whether a PostgreSQL has been made in a folder; it closes its folder to all users but its own."""
    try:
        return any(database.iterdir())
    except PermissionError:
        return True


def escaped(password: str) -> str:
    """Return a password as a field of a .pgpass file."""
    return password.replace("\\", "\\\\").replace(":", "\\:")


def write(file: Path, text: str, mode: int) -> None:
    """Replace a file with this text and mode, at once."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as opened:
        os.fchmod(opened.fileno(), mode)
        opened.write(text)
    new.replace(file)


if __name__ == "__main__":
    sys.exit(main())
