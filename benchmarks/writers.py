"""Measure how exposures and labels of one experiment are stored by 1, 2 and 4 gateways at once, on PostgreSQL.

    python -m benchmarks.writers [--round-trip-ms 0.5] [--commit-ms 1] [--seconds 4] [--work labels] [--pairing split]
                                 [--apart]

A writer is a process. It writes its exposures in batches and its labels one a request, as a gateway's worker does. The
database is on this machine, where neither network nor disk takes time; so a pause before each statement stands for the
way to another machine, and PostgreSQL's commit_delay for a disk or a replica. Both are 0 unless given. With `--apart`
each writer has a database of its own, so none waits for another's locks.
"""

import argparse
import itertools
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Engine, event

from serving.gateway.experiments import feedback, prediction_id, scorings
from serving.gateway.experiments.assignment import Assignment
from serving.gateway.experiments.cache import Running
from serving.gateway.experiments.feedback import Feedback, FeedbackOutcome
from serving.gateway.experiments.prediction_id import Exposed
from serving.gateway.experiments.traffic import Outcome, exposure
from serving.gateway.store import exposures
from serving.gateway.store.exposures import Exposure
from serving.gateway.store.images import ImageAnswers
from serving.gateway.store.store import Store
from testing.databases import PostgreSQL, new_database, postgresql
from testing.recount import problems
from testing.trials import CLASSES, SECRET, SURE, Trial, spec

WRITERS, PAIRING = (1, 2, 4), ("paired", "split")
BATCH = 100  # exposures in a transaction: of a second, at a hundred requests a second and worker
DISAGREE = 0.05  # share of images on which the arms differ
NUMBERS_EACH = 1 << 40  # units and images of one writer


class Setting(NamedTuple):
    """One measurement: the database, its experiment, and how long to write for."""

    url: str
    running: Running
    seconds: float
    round_trip: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure how writes of one experiment scale with gateways.")
    parser.add_argument("--round-trip-ms", type=float, default=0.0, help="pause before each statement")
    parser.add_argument("--commit-ms", type=float, default=0.0, help="PostgreSQL's commit_delay")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--work", nargs="*", choices=sorted(WORK), default=list(WORK), help="(default: all)")
    parser.add_argument("--pairing", nargs="*", choices=PAIRING, default=list(PAIRING), help="(default: both)")
    parser.add_argument("--apart", action="store_true", help="give each writer a database of its own")
    arguments = parser.parse_args()
    print(f"round trip {arguments.round_trip_ms} ms, commit {arguments.commit_ms} ms, {os.cpu_count()} cores")
    with postgresql() as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET commit_delay = {round(1000 * arguments.commit_ms)}")
            connection.execute("ALTER SYSTEM SET commit_siblings = 0")
            connection.execute("SELECT pg_reload_conf()")
        for kind, name in itertools.product(arguments.pairing, arguments.work):
            rates = [_rate(server, kind == PAIRING[0], WORK[name], number, arguments) for number in WRITERS]
            each = ", ".join(f"{number}: {rate:,.0f}" for number, rate in zip(WRITERS, rates, strict=True))
            print(f"{kind:6} {name:9} a second by writers  {each}  ({rates[-1] / rates[0]:.2f} times)", flush=True)


def _rate(
    server: PostgreSQL, paired: bool, write: Callable[..., int], writers: int, arguments: argparse.Namespace
) -> float:
    """Return how many rows the writers store a second; check the counters against the rows."""
    with ExitStack() as stack:
        urls = [stack.enter_context(new_database(server.url)) for _ in range(writers if arguments.apart else 1)]
        stores = [stack.enter_context(closing(Store(url))) for url in urls]
        settings = [
            Setting(url, Trial(store, spec(0.5, 0.5, paired=paired)).running(), arguments.seconds,
                    arguments.round_trip_ms / 1000)
            for url, store in zip(urls, stores, strict=True)
        ]  # fmt: skip
        context = multiprocessing.get_context("spawn")
        barrier, results = context.Barrier(writers), context.Queue()
        processes = [
            context.Process(target=_run, args=(settings[n % len(settings)], write, n, barrier, results))
            for n in range(writers)
        ]
        for process in processes:
            process.start()
        stored = [results.get(timeout=120) for _ in processes]
        for process in processes:
            process.join()
        for store, setting in zip(stores, settings, strict=True):
            with store.read() as connection:
                assert not (found := problems(connection, setting.running.id)), found[:3]
    return sum(number / seconds for number, seconds in stored)


def _run(setting: Setting, write: Callable[..., int], number: int, barrier: Barrier, results: Any) -> None:
    """Write for a while, all writers from the same moment; report the number of rows and the seconds."""
    store = Store(setting.url)
    made = _requests(setting.running, number)
    write(store, made, 0.0)  # connects
    if setting.round_trip:
        event.listen(Engine, "before_cursor_execute", lambda *_: time.sleep(setting.round_trip))
        event.listen(Engine, "commit", lambda *_: time.sleep(setting.round_trip))
    barrier.wait()
    began = time.perf_counter()
    stored = write(store, made, setting.seconds)
    results.put((stored, time.perf_counter() - began))
    store.close()


def _write_exposures(store: Store, made: Iterator[tuple[Exposure, str]], seconds: float) -> int:
    """Write batches of exposures as the recorder does."""
    until, stored = time.perf_counter() + seconds, 0
    while True:
        batch = [one for one, _ in itertools.islice(made, BATCH)]
        _record(store, batch)
        stored += len(batch)
        if time.perf_counter() >= until:
            return stored


def _write_labels(store: Store, made: Iterator[tuple[Exposure, str]], seconds: float) -> int:
    """Write labels, one a transaction, of exposures that come later."""
    until, stored = time.perf_counter() + seconds, 0
    while True:
        _, prediction = next(made)
        with store.write() as connection:
            (result,) = feedback.record(connection, SECRET, CLASSES, [Feedback(prediction, "7", "ground_truth")])
        assert result.outcome is FeedbackOutcome.STORED, result
        stored += 1
        if time.perf_counter() >= until:
            return stored


def _record(store: Store, batch: list[Exposure]) -> None:
    with store.write(hurried=True) as connection:
        of = {each.experiment_id for each in batch}
        exposures.lock(connection, of)
        exposures.write(connection, batch, scorings.alone(connection, of), SECRET)


def _write_both(store: Store, made: Iterator[tuple[Exposure, str]], seconds: float) -> int:
    """Write batches of exposures, and label a tenth of them; count both."""
    until, stored = time.perf_counter() + seconds, 0
    while True:
        batch = list(itertools.islice(made, BATCH))
        _record(store, [one for one, _ in batch])
        labelled = batch[::10]
        for each in labelled:
            _write_labels(store, iter([each]), 0.0)
        stored += len(batch) + len(labelled)
        if time.perf_counter() >= until:
            return stored


def _requests(running: Running, writer: int) -> Iterator[tuple[Exposure, str]]:
    """Give exposures of new units, one image each, and the ids of their predictions."""
    rng = random.Random(writer)
    for number in itertools.count(1 + writer * NUMBERS_EACH):
        arm = rng.randrange(2)
        key, exposed = f"{number:024x}", Exposed(running.id, running.phase, number, arm, arm, int(time.time()))
        version = running.versions[arm]
        assert version is not None
        said = [("7", SURE), ("7" if rng.random() > DISAGREE else "1", SURE)]
        (prediction,) = prediction_id.sign(SECRET, key, [said[arm][0]], running.arms[arm], version, exposed, [number])
        one = exposure(
            key, running, Assignment(arm, running.split.weights[arm], number), arm, {arm: Outcome(5.0, False, None)},
            images=1,
        )  # fmt: skip
        if running.paired:
            one = replace(one, answered=(ImageAnswers(prediction, number, said, bytes(784)),))
        yield one, prediction


WORK: dict[str, Callable[..., int]] = {"exposures": _write_exposures, "labels": _write_labels, "both": _write_both}

if __name__ == "__main__":
    main()
