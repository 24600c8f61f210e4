"""Delete old exposures and images without a label; labels and counts stay.

    python -m serving.gateway.commands.retention [--days N]

Works on the database of GATEWAY_DATABASE_URL, also while gateways run.
"""

import argparse
import os
import sys
import time
from contextlib import closing

from serving.gateway.errors import GatewayError
from serving.gateway.settings import Settings, SettingsError
from serving.gateway.store import exposures, images
from serving.gateway.store.engine import UnusableDatabase
from serving.gateway.store.store import Store

DAYS = 30


def main() -> int:
    """Delete, and print how much; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.gateway.commands.retention", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--days", type=float, default=DAYS, metavar="N",
        help="keep exposures and images this long (default: %(default)s)",
    )  # fmt: skip
    days = parser.parse_args().days
    if not days >= 0:
        parser.error(f"--days {days:g} cannot be used: it must be 0 or more")
    try:
        with closing(Store(Settings.from_environ(os.environ).database_url)) as store:
            print(delete_older_than(store, days))
    except (SettingsError, UnusableDatabase, GatewayError) as error:
        print(f"retention: {error}", file=sys.stderr)
        return 1
    return 0


def delete_older_than(store: Store, days: float) -> str:
    """Delete older exposures, and older images without a label; return their numbers in words."""
    moment = time.time() - days * 24 * 3600
    with store.write() as connection:
        exposed, seen = exposures.delete_before(connection, moment), images.delete_before(connection, moment)
        images.forget_old_pixels(connection)
    return f"Deleted {exposed:,} exposures, and {seen:,} images without a label."


if __name__ == "__main__":
    sys.exit(main())
