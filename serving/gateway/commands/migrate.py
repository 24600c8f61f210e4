"""Bring the schema of GATEWAY_DATABASE_URL up to date: `python -m serving.gateway.commands.migrate`.

gunicorn's parent does the same before the workers start.
"""

import os
import sys
from contextlib import closing

from serving.gateway.errors import GatewayError
from serving.gateway.settings import Settings, SettingsError
from serving.gateway.store.engine import UnusableDatabase
from serving.gateway.store.store import Store


def main() -> int:
    """Migrate; return the exit code."""
    try:
        with closing(Store(Settings.from_environ(os.environ).database_url)) as store, store.read():
            return 0
    except (SettingsError, UnusableDatabase, GatewayError) as error:
        print(f"migrate: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
