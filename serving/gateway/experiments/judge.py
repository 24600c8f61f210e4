"""Judge running experiments: keep interim results and the first verdict, and act on it if asked to."""

import logging
import time
from typing import Any

from sqlalchemy import Connection, Row

from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.cache import Running, Snapshot
from serving.gateway.experiments.evidence import report
from serving.gateway.experiments.lifecycle import GATEWAY, Act
from serving.gateway.store import counts, experiments, interim_results, promotions
from serving.gateway.store.store import Store, hold

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
VERDICTS = ("guardrail_broken", "ship", "roll_back", "equivalent", "inconclusive")


class Judge:
    """Judges for one worker; the first worker to see a verdict keeps it for all."""

    def __init__(self, store: Store) -> None:
        """Prepare to judge the experiments of `store`."""
        self._store = store
        self._next = 0.0
        self._seen: dict[tuple[int, int], int] = {}

    def judge_all(self, snapshot: Snapshot) -> None:
        """Judge each running experiment with new counts, at most once in INTERVAL_SECONDS."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + INTERVAL_SECONDS
        for running in snapshot.running.values():
            if self._has_more(running):
                judge(self._store, running.name)

    def _has_more(self, running: Running) -> bool:
        with self._store.read() as connection:
            tallies = counts.read(connection, running.id)
        total = sum(tally.total() for tally in tallies.values())
        key = running.id, running.phase
        changed = self._seen.get(key) != total
        self._seen[key] = total
        return changed


def judge(store: Store, name: str) -> None:
    """Keep an interim result of a running experiment if one is due; keep its first verdict and act on it."""
    with store.read() as connection:
        found = experiments.find(connection, name)
        if found is None or not _news(connection, found):
            return
    with store.write() as connection:
        held = experiments.find(connection, name, hold=True)
        if held is None or not (news := _news(connection, held)):
            return
        interim_results.keep(connection, held.id, time.time(), news)
        if verdict := _verdict(held, news):
            _keep(connection, held, verdict)


def _news(connection: Connection, experiment: Row) -> dict[str, Any] | None:
    """Return the report of a running experiment if it holds the first verdict, or an interim result is due."""
    if experiment.status != "running":
        return None
    found = report(connection, experiment)
    due = interim_results.due(connection, experiment.id, found["counts"]["labelled"])
    return found if due or _verdict(experiment, found) else None


def _verdict(experiment: Row, found: dict[str, Any]) -> dict[str, Any] | None:
    """Return the verdict of a report, None without one or if the experiment has one already."""
    if experiment.verdict or found["decision"]["recommendation"] not in VERDICTS:
        return None
    return {**found["decision"], "at": found["as_of"], "labelled": found["counts"]["labelled"]}


def _keep(connection: Connection, experiment: Row, verdict: dict[str, Any]) -> None:
    reason = " ".join(verdict["reasons"])
    logger.info("experiment %s: %s", experiment.name, verdict["recommendation"], extra={"verdict": verdict})
    experiments.change(connection, experiment.id, verdict=verdict)
    experiments.log(connection, GATEWAY, "verdict", experiment.name, f"{verdict['recommendation']}: {reason}")
    if experiment.spec["on_decision"] != "promote":
        return
    act = Act(GATEWAY, reason)
    lifecycle.step(connection, experiment.name, "stop", act, decision=verdict)
    if verdict["recommendation"] == "ship":
        hold(connection)
        promotions.promote(connection, verdict["variant"], GATEWAY, f"{experiment.name}: {reason}")
        experiments.log(connection, GATEWAY, "promote", verdict["variant"], f"{experiment.name}: {reason}")
