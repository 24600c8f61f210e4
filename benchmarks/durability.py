"""Kill gateway workers and the database repeatedly under load, and check that no acknowledged label is lost.

    python -m benchmarks.durability [--kills N]

Starts gunicorn over a fake model server, on SQLite and on a real PostgreSQL. Ends with exit code 1 if a label is lost,
stored twice, or counted wrongly.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from testing.databases import new_database, postgresql
from testing.durability import killer, torture
from testing.fake_model_server import FakeModelServer
from testing.manifest import MANIFEST
from testing.running_gateway import Gateway

WORKERS = 4


def main() -> int:
    """Run the three cases; return the exit code."""
    parser = argparse.ArgumentParser(description="Look for labels that were acknowledged and lost.")
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="in each case (default: %(default)s)")
    kills = parser.parse_args().kills
    with tempfile.TemporaryDirectory() as folder:
        good = run("SQLite, workers killed", f"sqlite:///{folder}/experiments.db", kills, killer)
    with postgresql() as server:
        with new_database(server.url) as url:
            good &= run("PostgreSQL, workers killed", url, kills, killer)
        good &= run("PostgreSQL, database killed", server.url, kills, lambda _: lambda _: server.restart())
    return 0 if good else 1


def run(case: str, url: str, kills: int, make_killer: Callable[[Gateway], Callable[[int], None]]) -> bool:
    """Run one case, print a line, and say if it passed."""
    with gateway(url) as running:
        found = torture(running, url, make_killer(running), kills)
    wrong = f"; {found.problems}" if found.problems else ""
    print(f"{case}: {kills} kills, {found.acknowledged:,} labels acknowledged, {found.lost} lost{wrong}", flush=True)
    return not found.lost and not found.problems


@contextmanager
def gateway(url: str) -> Iterator[Gateway]:
    """Run a gateway with its store at `url`, without its log."""
    server = FakeModelServer()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "manifest.json").write_text(json.dumps(MANIFEST))
        running = Gateway(Path(folder), server.address, workers=WORKERS, database_url=url, quiet=True)
        try:
            yield running
        finally:
            running.stop()
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
