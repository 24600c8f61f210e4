"""Look at the experiments under way, keep the first verdict, and act on it where that was asked for."""

import logging
import time
from typing import Any

from sqlalchemy import Connection, Row

from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.evidence import report
from serving.gateway.experiments.lifecycle import GATEWAY, Act
from serving.gateway.experiments.live import Running, Snapshot
from serving.gateway.store import counts, experiments, promotions
from serving.gateway.store.store import Store, hold

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
VERDICTS = ("guardrail_broken", "ship", "roll_back", "equivalent", "inconclusive")


class Judge:
    """One worker's look at the evidence; several may look, and the first to see a verdict keeps it for all."""

    def __init__(self, store: Store) -> None:
        """Prepare to judge the experiments of `store`."""
        self._store = store
        self._next = 0.0
        self._seen: dict[tuple[int, int], int] = {}

    def look(self, snapshot: Snapshot) -> None:
        """Judge every running experiment that has counted more since the last look, at most once in LOOK_SECONDS."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + LOOK_SECONDS
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
    """Keep the verdict on an experiment if there is one and none was kept, and act on it if that was asked for."""
    with store.read() as connection:
        found = experiments.find(connection, name)
        if found is None or not _verdict(connection, found):
            return
    with store.write() as connection:
        held = experiments.find(connection, name, hold=True)
        if held is not None and (verdict := _verdict(connection, held)):
            _keep(connection, held, verdict)


def _verdict(connection: Connection, experiment: Row) -> dict[str, Any] | None:
    """Return what the evidence says of a running experiment that has no verdict yet, if it is enough."""
    if experiment.status != "running" or experiment.verdict:
        return None
    found = report(connection, experiment)
    if found["decision"]["recommendation"] not in VERDICTS:
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
