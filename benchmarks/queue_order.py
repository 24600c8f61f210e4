"""Check that labels from the queue, in its order, favour no arm: six pairs of real variants under the null hypothesis.

    python -m benchmarks.queue_order [--runs N]

For each pair and run, 600 disagreements come that either variant wins with probability ½, through the HTTP API. Labels
follow the queue, and the comparison is read at 50, 100, 200 and 600 of them. Ends with exit code 1 if more than α and
two standard errors of a pair's runs favour a side. The order by confidence of version 0.2, a test double here, must
fail the same check in an eighth of the runs. Prints how many runs the check for fair samples calls unhealthy, too.
Needs published models (`make train`). Seeded.
"""

import argparse
import itertools
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import requests
from flask.testing import FlaskClient
from sqlalchemy import Connection, Row, select

from benchmarks.demo import services
from benchmarks.simulation import ALPHA, application
from serving.gateway.store import images
from serving.gateway.store.tables import QUEUED
from serving.gateway.store.tables import images as table
from testing.api import ADMIN, json_of
from testing.asgi import predict_all
from testing.real_variants import RealVariants, pixels
from testing.replays import most
from testing.traffic import RAW, act, label_as, report, start
from testing.waiting import eventually
from training.data import ImageSet, load

VARIANTS = ("plain", "dropout", "l2", "dropout_l2")
RUNS, DISAGREEMENTS = 400, 600
LOOKS = (50, 100, 200, 600)
TOGETHER = 10  # experiments that run side by side
PAGE = 100  # images of the queue in one answer
BATCH = 200  # images in one request to /compare


def main() -> int:
    """Check; return the exit code."""
    parser = argparse.ArgumentParser(description="Label the queue of equal arms, in its order.")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help="experiments a pair (default: %(default)s)")
    return 0 if check(parser.parse_args().runs) else 1


def check(runs: int = RUNS) -> bool:
    """Print a row for each pair; say if all pass."""
    variants = ask_all(load(Path("data")))
    bound, few = most(runs, ALPHA), math.ceil(runs / 8)
    print(f"of {runs} null experiments, the evidence favours a side (at most {bound:.1%})\n"
          "pair  random: first, second, unhealthy  by confidence: first, second, unhealthy", flush=True)  # fmt: skip
    good, caught = True, False
    for pair in itertools.combinations(VARIANTS, 2):
        began = time.monotonic()
        found = [decided(variants, pair, runs)]
        with patch.object(images, "queued", surest_first):
            found.append(decided(variants, pair, few))
        good &= max(found[0][:2]) <= bound
        caught |= max(found[1][:2]) > most(few, ALPHA)
        told = "  ".join(", ".join(f"{share:.1%}" for share in shares) for shares in found)
        print(f"{pair[0]} and {pair[1]}  {told}  ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"the order by confidence {'fails' if caught else 'PASSES'} the check")
    return good and caught


def ask_all(digits: ImageSet) -> RealVariants:
    """Ask a running model server for the probabilities of every variant about every test image."""
    found: dict[str, list[Any]] = {variant: [] for variant in VARIANTS}
    with services() as url:
        for at in range(0, len(digits.test_images), BATCH):
            answer = requests.post(
                f"{url}/compare?variants={','.join(VARIANTS)}", data=digits.test_images[at : at + BATCH].tobytes(),
                headers={"Content-Type": RAW}, timeout=60,
            )  # fmt: skip
            answer.raise_for_status()
            for each in answer.json()["results"]:
                for said in each["variants"]:
                    found[said["variant"]].append(said["probabilities"])
    return RealVariants({name: np.array(rows) for name, rows in found.items()}, np.array(digits.test_labels))


def decided(variants: RealVariants, pair: tuple[str, str], runs: int) -> tuple[float, float, float]:
    """Return the shares of runs that ever favoured the first or the second of a pair, and of unhealthy ones."""
    sides, unhealthy = Counter[str](), 0
    with application(VARIANTS) as (client, server):
        server.answer = variants.answer
        populations = variants.null_population(pair, runs, DISAGREEMENTS, seed=1)
        while group := list(itertools.islice(populations, TOGETHER)):
            truths: dict[str, dict[str, str]] = {}
            for population in group:
                name = f"run_{len(truths)}_{time.monotonic_ns()}"
                truths[name] = send(client, variants, pair, population, name)
            for name, truth in truths.items():
                eventually(lambda name=name: report(client, name)["counts"]["compared"] == DISAGREEMENTS)  # type: ignore[misc]
                verdict, ok = judged(client, name, truth)
                sides[verdict] += 1
                unhealthy += not ok
    return sides["worse"] / runs, sides["better"] / runs, unhealthy / runs


def send(
    client: FlaskClient, variants: RealVariants, pair: tuple[str, str], population: np.ndarray, name: str
) -> dict[str, str]:
    """Start an experiment and send it disagreements, each a unit of its own; return their true labels by prediction."""
    arms = [{"variant": variant, "weight": 0.5} for variant in pair]
    start(client, {"name": name, "control": pair[0], "arms": arms, "paired": True, "margin": 1e-9})
    bodies = [pixels(population[number : number + 1], number) for number in range(len(population))]
    answers = predict_all(client, f"experiment={name}", bodies)
    return {
        answer["predictions"][0]["id"]: str(variants.truth[image])
        for answer, image in zip(answers, population.tolist(), strict=True)
    }


def judged(client: FlaskClient, name: str, truth: dict[str, str]) -> tuple[str, bool]:
    """Label the queue of an experiment; return the first verdict of its comparison for a side, and if it is healthy."""
    verdict, healthy = "undecided", True
    for before, labels in itertools.pairwise((0, *LOOKS)):
        label_queue(client, name, truth, labels - before)
        found = report(client, name)
        (comparison,) = found["comparisons"]
        verdict = comparison["verdict"] if verdict == "undecided" else verdict
        healthy &= all(check["ok"] for check in found["checks"].values())
    act(client, name, "stop")
    act(client, name, "archive")
    return verdict, healthy


def label_queue(client: FlaskClient, name: str, truth: dict[str, str], count: int) -> None:
    """Label `count` images of the queue, in its order."""
    while count:
        page = f"/experiments/{name}/disagreements?limit={min(count, PAGE)}"
        ids = [each["prediction_id"] for each in json_of(client.get(page, headers=ADMIN))["disagreements"]]
        label_as(client, ids, [truth[each] for each in ids], "audit")
        count -= len(ids)


def surest_first(connection: Connection, experiment: int, most: int) -> Sequence[Row]:
    """Return the queue by the confidence of the less sure arm: the order of versions before 0.3, as a test double."""
    waiting = select(table).where(table.c.experiment_id == experiment, QUEUED)
    rows = connection.execute(waiting).all()
    return sorted(rows, key=lambda row: -min(confidence for _, confidence in row.answers))[:most]


if __name__ == "__main__":
    sys.exit(main())
