"""Are experiments decided as rarely by chance, and as soon for a cause, as is claimed? Through the API, in process.

    python -m benchmarks.simulation [equal|different]

Runs 400 paired experiments of equal arms, 2,000 labelled images each, looked at after every 100; then 100 of arms that
err on 1.0 % and on 0.7 % of the images, looked at after every 250, until half of them are decided. Seeded. Ends with
exit code 1 where more than 5 % + 2 standard errors of the former ever decide for a side, or the latter take a median of
9,000 images or more.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask.testing import FlaskClient

from serving.gateway import create_app
from testing.api import ADMIN_TOKEN
from testing.fake_model_server import FakeModelServer
from testing.manifest import MANIFEST
from testing.simulation import Rates, simulate

ALPHA = 0.05
FOR_A_SIDE = {"ship", "roll_back"}
EQUAL = Rates(control=0.006, challenger=0.006, both=0.004)
BETTER = Rates(control=0.006, challenger=0.003, both=0.004)
SAME, DIFFERENT = 400, 100  # experiments
MOST_IMAGES = 9000


def main() -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(description="Simulate experiments.")
    parser.add_argument("arms", nargs="?", choices=["equal", "different"], help="only these (default: both)")
    arms = parser.parse_args().arms
    good = True
    if arms != "different":
        good &= equal()
    if arms != "equal":
        good &= different()
    return 0 if good else 1


def equal() -> bool:
    """Say how many experiments of equal arms ever decided for a side, and whether these are few enough."""
    began, most = time.monotonic(), ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / SAME)
    share = false_decisions()
    seconds = time.monotonic() - began
    print(f"equal arms: {share:.1%} of {SAME} decided for a side (at most {most:.1%}), {seconds:.0f} s", flush=True)
    return share <= most


def different() -> bool:
    """Say after how many images half of the experiments of different arms decided, and whether that is soon enough."""
    began, images = time.monotonic(), images_to_a_decision()
    seconds = time.monotonic() - began
    print(f"1.0 % against 0.7 %: half of {DIFFERENT} decided after {images:,} images "
          f"(under {MOST_IMAGES:,}), {seconds:.0f} s")  # fmt: skip
    return images < MOST_IMAGES


def false_decisions() -> float:
    """Return the share of experiments of equal arms that ever decided for a side."""
    decided: set[int] = set()
    with application() as (client, server):
        for looks in simulate(client, server, EQUAL, SAME, images=2000, batch=100, seed=1):
            decided |= {number for number, said in enumerate(looks) if said in FOR_A_SIDE}
    return len(decided) / SAME


def images_to_a_decision() -> int:
    """Return after how many images half of the experiments of different arms had decided for the better one."""
    decided: set[int] = set()
    with application() as (client, server):
        for look, looks in enumerate(simulate(client, server, BETTER, DIFFERENT, images=30_000, batch=250, seed=2), 1):
            decided |= {number for number, said in enumerate(looks) if said == "ship"}
            if 2 * len(decided) >= DIFFERENT:
                return 250 * look
    return 30_000


@contextmanager
def application() -> Iterator[tuple[FlaskClient, FakeModelServer]]:
    """Give a client of an application with a store of its own, over a made-up model server."""
    server = FakeModelServer()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "manifest.json").write_text(json.dumps(MANIFEST))
        settings = {
            "MODELS_DIR": folder, "MODEL_SERVER": server.address, "ADMIN_TOKEN": ADMIN_TOKEN, "LOG_LEVEL": "error",
            "DATABASE_URL": f"sqlite:///{folder}/experiments.db", "DEADLINE_MS": "20000",
        }  # fmt: skip
        app = create_app({f"GATEWAY_{name}": value for name, value in settings.items()})
        yield app.test_client(), server
        app.extensions["gateway"].experiments.close()
    server.stop()


if __name__ == "__main__":
    sys.exit(main())
