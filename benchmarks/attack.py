"""Attack a running gateway with made-up requests, damaged images and bombs.

    python -m benchmarks.attack [--examples N] [--images N] [--seed N]

Starts gunicorn with two workers over a made-up model server. Ends with exit code 1 where an answer contradicts the
API's description, a worker is lost, or one takes too much memory.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testing.attack import api, images
from testing.attack.images import MOST_MEMORY
from testing.fake_model_server import FakeModelServer
from testing.manifest import MANIFEST
from testing.running_gateway import Gateway


def main() -> int:
    """Run both attacks; return the exit code."""
    parser = argparse.ArgumentParser(description="Look for input that breaks the gateway.")
    parser.add_argument("--examples", type=int, default=250, metavar="N", help="an operation (default: %(default)s)")
    parser.add_argument(
        "--images", type=int, default=100_000, metavar="N", help="damaged images (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of everything made up (default: %(default)s)")
    arguments = parser.parse_args()
    with running() as gateway, tempfile.TemporaryDirectory() as folder:
        good = attack_api(gateway, arguments.examples, Path(folder) / "report.json", arguments.seed)
    with running() as gateway:
        good &= attack_images(gateway, arguments.images, arguments.seed)
    return 0 if good else 1


@contextmanager
def running() -> Iterator[Gateway]:
    """Run a gateway without a log for as long as the block takes."""
    server = FakeModelServer()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "manifest.json").write_text(json.dumps(MANIFEST))
        try:
            with Gateway(Path(folder), server.address, quiet=True) as gateway:
                yield gateway
        finally:
            server.stop()


def attack_api(gateway: Gateway, examples: int, report: Path, seed: int) -> bool:
    """Send requests that the API's description allows or forbids; say whether it holds for all answers."""
    workers = set(gateway.workers())
    came = api.attack(gateway, examples, report, seed)
    lost = len(workers - set(gateway.workers()))
    print(f"API: {came.cases:,} requests, {lost} workers lost, {'failures:' if came.failures else 'no failure'}")
    print(came.failures, flush=True)
    return not came.failures and not lost


def attack_images(gateway: Gateway, count: int, seed: int) -> bool:
    """Send damaged images; say whether all were answered, and memory stayed below MOST_MEMORY."""
    came = images.attack(gateway, count, seed)
    statuses = ", ".join(f"{status} × {times:,}" for status, times in sorted(came.statuses.items()))
    print(
        f"Images: {statuses}; {came.lost} workers lost; a worker's memory {came.peak / 1e6:.0f} MB at its worst, ",
        end="",
    )
    print(f"{came.left / 1e6:.0f} MB in the end")
    print(*came.faults, sep="\n", end="", flush=True)
    return not came.faults and not came.lost and came.peak < MOST_MEMORY


if __name__ == "__main__":
    sys.exit(main())
