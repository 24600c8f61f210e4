"""Measure the cost of experiments: a report on many labels, and `/predict` while an experiment runs.

    python -m benchmarks.experiments [report|predict]

Needs published models (`make train`). Starts the model server and a gateway on free ports, on SQLite; all share the
machine with the load generator.
"""

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import requests
from sqlalchemy import text

from benchmarks.demo import CHALLENGER, CONTROL, services
from serving.gateway import create_app
from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.lifecycle import Act
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store import days
from serving.gateway.store.counts import Count, add
from serving.gateway.store.store import Store
from testing.api import ADMIN_TOKEN
from testing.http_load import post, requests_a_second
from testing.traffic import RAW

LABELS, DAYS = 10_000_000, 365
REPORTS = 50
CONNECTIONS, SECONDS, ROUNDS = 16, 2.0, 10
IMAGE_BYTES = 784
KNOWN_SECONDS = 0.5  # until every worker knows of a change: they refresh four times a second
ARMS = [{"variant": variant, "weight": 0.5} for variant in (CONTROL, CHALLENGER)]
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :last)"
LABELLED = f"""
    INSERT INTO feedback (prediction, source, label, predicted, variant, version, experiment_id, phase, arm, served,
                          unit, image, at)
    {NUMBERS} SELECT printf('%024x.0', i), 'ground_truth', '3', '3', 'l2', 1, 1, 1, i % 2, i % 2, i, i, 0 FROM n
"""
ANSWERED = f"""
    INSERT INTO images (experiment_id, epoch, image, phase, unit, assigned, answers, label, source, served, predicted,
                        draw, at)
    {NUMBERS} SELECT 1, 1, i, 1, i, i % 2, '[["3",0.9],["3",0.8]]', '3', 'ground_truth', i % 2, '3', i, 0 FROM n
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what experiments cost.")
    parser.add_argument("what", nargs="?", choices=["report", "predict"], help="only this (default: both)")
    what = parser.parse_args().what
    if what != "predict":
        report()
    if what != "report":
        predict()


def report() -> None:
    """Store 10 million labels, and time reports."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/experiments.db"
        store = Store(url)
        with store.write() as connection:
            spec = ExperimentSpec.model_validate({"name": "big", "control": CONTROL, "arms": ARMS, "paired": True})
            lifecycle.create(connection, spec, Act("benchmark"))
            lifecycle.step(connection, "big", "start", Act("benchmark"))
            for statement in (LABELLED, ANSWERED):
                connection.execute(text(statement), {"last": LABELS - 1})
            tally = {Count("first", 3, mask): LABELS // 4 for mask in range(4)}
            tally |= {Count(name, arm): LABELS // 2 for name in ("units", "labelled", "exposures") for arm in (0, 1)}
            tally |= {Count(name, 1): LABELS // 4 for name in ("won", "lost", "first_won", "first_lost")}
            tally |= {Count("net", 1, sign): LABELS // 4 for sign in (-1, 1)}
            tally |= {Count(name, 1): LABELS for name in ("pair_units", "pair_images", "sizes")}
            tally |= {Count(name, 1): LABELS // 2 for name in ("pair_disagreements", "pair_labelled", "squares")}
            tally |= {Count(name): LABELS for name in ("labels", "compared")}
            tally |= {Count("latency", arm, bucket): LABELS // 40 for arm in (0, 1) for bucket in range(20)}
            tally |= {
                Count(name, arm, day): LABELS // DAYS // 2
                for name in (days.UNITS, days.LABELLED, days.DIFFERING, days.DIFFERING_LABELLED)
                for arm in (0, 1)
                for day in range(DAYS)
            }
            tally |= {Count(days.DELAY, arm, bucket): LABELS // 80 for arm in (0, 1) for bucket in range(80)}
            add(connection, 1, 1, tally)
        store.close()
        client = create_app({"GATEWAY_DATABASE_URL": url, "GATEWAY_LOG_LEVEL": "error"}).test_client()
        times = []
        for _ in range(REPORTS):
            began = time.perf_counter()
            answer = client.get("/experiments/big/report")
            times.append(1000 * (time.perf_counter() - began))
        labelled = json.loads(answer.data)["counts"]["labelled"]
    print(f"report on {labelled:,} labels: median {statistics.median(times):.1f} ms, longest {max(times):.1f} ms")


def predict() -> None:
    """Measure the throughput without an experiment, split and paired, in turn."""
    requests_of_images = different_images()
    rates: dict[str, list[float]] = {"without": [], "split": [], "paired": []}
    with services() as url:
        port = int(url.rpartition(":")[2])
        for name in ("split", "paired"):
            admin(url, "experiments", name=name, control=CONTROL, arms=ARMS, paired=name == "paired")
            admin(url, f"experiments/{name}/start")
            admin(url, f"experiments/{name}/pause")
        requests_a_second(port, requests_of_images, CONNECTIONS, SECONDS)
        for _ in range(ROUNDS):
            for mode, found in rates.items():
                with_experiment(url, mode, "resume")
                found.append(requests_a_second(port, requests_of_images, CONNECTIONS, SECONDS))
                with_experiment(url, mode, "pause")
        counts = requests.get(f"{url}/experiments/paired/report", timeout=10).json()["counts"]
        dropped = [
            line for line in requests.get(f"{url}/metrics", timeout=10).text.splitlines()
            if "dropped" in line and not line.startswith("#")
        ]  # fmt: skip
    for mode, found in rates.items():
        cost = statistics.median(1 - rate / without for rate, without in zip(found, rates["without"], strict=True))
        spread = f"{min(found):,.0f} to {max(found):,.0f}"
        print(f"{mode:8} {statistics.median(found):6,.0f} requests a second ({spread}); costs {cost:.1%}")
    print(f"paired: {counts['compared']:,} images compared; {', '.join(dropped)}")


def different_images() -> Iterator[bytes]:
    """Give requests of one image each, no two alike: the same pixels would count once in an experiment."""
    for number in itertools.count():
        yield post("/predict", number.to_bytes(IMAGE_BYTES, "little"), RAW)


def with_experiment(url: str, mode: str, action: str) -> None:
    """Resume or pause the experiment of a mode, and wait until every worker knows it."""
    if mode != "without":
        admin(url, f"experiments/{mode}/{action}")
        time.sleep(KNOWN_SECONDS)


def admin(url: str, path: str, **body: Any) -> None:
    """Send an administrator's request."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    requests.post(f"{url}/{path}", json=body, headers=headers, timeout=10).raise_for_status()


if __name__ == "__main__":
    main()
