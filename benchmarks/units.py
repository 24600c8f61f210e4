"""Check that images which come together do not decide an experiment of equal arms, through the HTTP API.

    python -m benchmarks.units [--runs N]

A fair coin for each unit says which arm alone reads its images right. Units send 1, 4, 10 or 40 images each, or a
mixture; every label is the truth, and each experiment is judged ten times. Ends with exit code 1 if more than α and two
standard errors of a kind's experiments ever decide for a side. Seeded.
"""

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np
from flask.testing import FlaskClient

from benchmarks.simulation import ALPHA, FOR_A_SIDE, application
from testing.asgi import predict_all
from testing.replays import most
from testing.simulation import ARMS, answer
from testing.traffic import PAIRED, act, label_as, report, start
from testing.waiting import eventually

RUNS, TOGETHER, LOOKS, CLASSES, PIXELS = 400, 40, 10, 10, 784
KINDS: dict[str, list[int]] = {  # the images of each unit
    "400 units of 1": [1] * 400,
    "100 units of 4": [4] * 100,
    "40 units of 10": [10] * 40,
    "10 units of 40": [40] * 10,
    "200 of 1, 25 of 4, 5 of 10 and 1 of 50": [1] * 200 + [4] * 25 + [10] * 5 + [50],
}


def main() -> int:
    """Check; return the exit code."""
    parser = argparse.ArgumentParser(description="Send images of units that favour one arm, and judge equal arms.")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help="experiments a kind (default: %(default)s)")
    return 0 if check(parser.parse_args().runs) else 1


def check(runs: int = RUNS) -> bool:
    """Print a row for each kind; say if all pass."""
    bound, good = most(runs, ALPHA), True
    for kind, sizes in KINDS.items():
        began = time.monotonic()
        share = false_decisions(sizes, runs)
        good &= share <= bound
        seconds = time.monotonic() - began
        print(f"{kind}: {share:.1%} of {runs} decided (at most {bound:.1%}), {seconds:.0f} s", flush=True)
    return good


def false_decisions(sizes: list[int], runs: int) -> float:
    """Return the share of experiments that ever decided for a side."""
    rng = np.random.default_rng(1)
    decided: set[str] = set()
    with application() as (client, server):
        server.answer = answer
        for first in range(0, runs, TOGETHER):
            names = [f"run_{number}" for number in range(first, min(first + TOGETHER, runs))]
            decided |= decide(client, names, sizes, rng)
    return len(decided) / runs


def decide(client: FlaskClient, names: Sequence[str], sizes: list[int], rng: np.random.Generator) -> set[str]:
    """Run experiments side by side; return those that decided for a side at some look."""
    looks = min(LOOKS, len(sizes))
    orders = {name: np.array_split(rng.permutation(sizes), looks) for name in names}
    sent = dict.fromkeys(names, 0)
    decided = set()
    for name in names:
        start(client, {**PAIRED, "name": name, "margin": 1e-9})
    for look in range(looks):
        for name, order in orders.items():
            units = [f"unit {look} {number}" for number in range(len(order[look]))]
            sent[name] += send(client, name, units, order[look].tolist(), sent[name], rng)
        for name in names:
            seen = eventually(lambda name=name: (r := report(client, name))["counts"]["labelled"] == sent[name] and r)  # type: ignore[misc]
            if seen["decision"]["recommendation"] in FOR_A_SIDE:
                decided.add(name)
    for name in names:
        act(client, name, "stop")
        act(client, name, "archive")
    return decided


def send(
    client: FlaskClient, name: str, units: list[str], sizes: list[int], first: int, rng: np.random.Generator
) -> int:
    """Send images of units that one arm alone reads right, numbered from `first` on, and their labels; count them."""
    count = sum(sizes)
    truth = rng.integers(CLASSES, size=count)
    pixels = np.zeros((count, PIXELS), np.uint8)
    pixels[:, : len(ARMS)] = truth[:, np.newaxis]
    wrong = np.repeat(rng.integers(len(ARMS), size=len(sizes)), sizes)
    pixels[np.arange(count), wrong] = (truth + 1) % CLASSES
    pixels[:, 4:8] = np.arange(first, first + count, dtype="<u4").view(np.uint8).reshape(count, 4)
    bodies = [images.tobytes() for images in np.split(pixels, np.cumsum(sizes)[:-1])]
    answers = predict_all(client, f"experiment={name}", bodies, units)
    label_as(
        client, [each["id"] for answer in answers for each in answer["predictions"]], list(map(str, truth.tolist()))
    )
    return count


if __name__ == "__main__":
    sys.exit(main())
