"""Check the rates of wrong and of timely verdicts, by simulation through the API, in process.

Two parts of `python -m benchmarks.verify_experiments`. `equal` runs paired experiments of equal arms, `different` those
of different arms until half of them are decided; the constants below say how many, and how often each is judged.
Seeded. A part fails if more equal ones than α and two standard errors decide for a side, or if the different ones take
too many images.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flask.testing import FlaskClient

from serving.gateway import create_app
from testing.api import ADMIN_TOKEN
from testing.fake_model_server import FakeModelServer
from testing.manifest import MANIFEST, variant
from testing.replays import most
from testing.simulation import Rates, simulate

ALPHA = 0.05
FOR_A_SIDE = {"ship", "roll_back"}
EQUAL = Rates(control=0.006, challenger=0.006, both=0.004)
BETTER = Rates(control=0.006, challenger=0.003, both=0.004)
SAME, DIFFERENT = 400, 100  # experiments
MOST_IMAGES = 9000


def equal() -> bool:
    """Print the share of experiments with equal arms that ever decided for a side; say if it is small enough."""
    began, bound = time.monotonic(), most(SAME, ALPHA)
    share = false_decisions()
    seconds = time.monotonic() - began
    print(f"equal arms: {share:.1%} of {SAME} decided for a side (at most {bound:.1%}), {seconds:.0f} s", flush=True)
    return share <= bound


def different() -> bool:
    """Print the images until half of the experiments with different arms decided; say if they are few enough."""
    began, images = time.monotonic(), images_to_a_decision()
    seconds = time.monotonic() - began
    print(f"1.0 % against 0.7 %: half of {DIFFERENT} decided after {images:,} images "
          f"(under {MOST_IMAGES:,}), {seconds:.0f} s")  # fmt: skip
    return images < MOST_IMAGES


def false_decisions() -> float:
    """Return the share of experiments with equal arms that ever decided for a side."""
    decided: set[int] = set()
    with application() as (client, server):
        for looks in simulate(client, server, EQUAL, SAME, images=2000, batch=100, seed=1):
            decided |= {number for number, said in enumerate(looks) if said in FOR_A_SIDE}
    return len(decided) / SAME


def images_to_a_decision() -> int:
    """Return the images until half of the experiments with different arms chose the better one."""
    decided: set[int] = set()
    with application() as (client, server):
        for look, looks in enumerate(simulate(client, server, BETTER, DIFFERENT, images=30_000, batch=250, seed=2), 1):
            decided |= {number for number, said in enumerate(looks) if said == "ship"}
            if 2 * len(decided) >= DIFFERENT:
                return 250 * look
    return 30_000


@contextmanager
def application(variants: Sequence[str] = ()) -> Iterator[tuple[FlaskClient, FakeModelServer]]:
    """Give a client of an application with its own store, over a fake model server; `variants` replace its own."""
    server, manifest = FakeModelServer(), dict(MANIFEST)
    if variants:
        server.models = set(variants)
        manifest["default"] = variants[0]
        manifest["variants"] = [{**variant(name), "version": 1} for name in variants]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "manifest.json").write_text(json.dumps(manifest))
        settings = {
            "MODELS_DIR": folder, "MODEL_SERVER": server.address, "ADMIN_TOKEN": ADMIN_TOKEN, "LOG_LEVEL": "error",
            "DATABASE_URL": f"sqlite:///{folder}/experiments.db", "DEADLINE_MS": "20000",
            "MAX_IN_FLIGHT": "5000",
        }  # fmt: skip
        app = create_app({f"GATEWAY_{name}": value for name, value in settings.items()})
        yield app.test_client(), server
        app.extensions["gateway"].experiments.close()
    server.stop()
