"""Bring the schema of GATEWAY_DATABASE_URL up to date: `python -m serving.gateway.commands.migrate`.

Log also what retention will delete, where that is put off. gunicorn's parent does the same before the workers start.
"""

import os
import sys
from contextlib import closing

from serving.gateway.errors import GatewayError
from serving.gateway.experiments.retention import remind
from serving.gateway.settings import Settings, SettingsError
from serving.gateway.store.engine import UnusableDatabase
from serving.gateway.store.store import Store


def main() -> int:
    """Migrate; return the exit code."""
    try:
        settings = Settings.from_environ(os.environ)
        with closing(Store(settings.database_url)) as store:
            remind(store, settings.retention)  # reading migrates
            return 0
    except (SettingsError, UnusableDatabase, GatewayError) as error:
        print(f"migrate: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
