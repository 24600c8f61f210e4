"""Delete old rows now, as gateways do by themselves: exposures, images without a label, labels outside experiments.

    python -m serving.gateway.commands.retention [--days N]

Works on the database of GATEWAY_DATABASE_URL, also while gateways run. Counts, and labels of experiments, stay.
"""

import argparse
import os
import sys
import time
from contextlib import closing

from serving.gateway.errors import GatewayError
from serving.gateway.settings import Settings, SettingsError
from serving.gateway.store import retention
from serving.gateway.store.engine import UnusableDatabase
from serving.gateway.store.retention import Quotas
from serving.gateway.store.store import Store


def main() -> int:
    """Delete, and print how much; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.gateway.commands.retention", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--days", type=float, metavar="N",
        help="keep the rows of the last N days (default: GATEWAY_RETENTION_DAYS, whose 0 keeps all)",
    )  # fmt: skip
    days = parser.parse_args().days
    if days is not None and not days >= 0:
        parser.error(f"--days {days:g} cannot be used: it must be 0 or more")
    try:
        settings = Settings.from_environ(os.environ)
        quotas = settings.retention if days is None else settings.retention._replace(days=days)
        with closing(Store(settings.database_url)) as store:
            print(delete_old(store, quotas))
    except (SettingsError, UnusableDatabase, GatewayError) as error:
        print(f"retention: {error}", file=sys.stderr)
        return 1
    return 0


def delete_old(store: Store, quotas: Quotas) -> str:
    """Delete what `quotas` do not keep, giving other writers half of the time; return the numbers in words."""
    return f"Deleted {retention.in_words(retention.run(store, quotas, time.sleep))}."


if __name__ == "__main__":
    sys.exit(main())
