"""Judge experiments while they take labels: keep interim results and the first verdict, and act on it if asked to."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from serving.gateway.experiments import hold_back, lifecycle
from serving.gateway.experiments.cache import WATCHED, Watched
from serving.gateway.experiments.evidence import ALARMS, report
from serving.gateway.experiments.lifecycle import GATEWAY, Act
from serving.gateway.experiments.regression import REGRESSION
from serving.gateway.manifest import Manifest
from serving.gateway.store import counts, events, experiments, interim_results, promotions
from serving.gateway.store.store import Store, hold

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
HOUR_SECONDS = 3600
Seen = tuple[int, Any]  # the present phase, and what evidence depends on: counts, and the hour, for a least run time
VERDICTS = ("guardrail_broken", "ship", "roll_back", "equivalent", "inconclusive", REGRESSION)


class Judge:
    """Judges for one worker; the first worker to see a verdict keeps it for all."""

    def __init__(self, store: Store) -> None:
        """Prepare to judge the experiments of `store`."""
        self._store = store
        self._next = 0.0
        self._seen: dict[int, Seen] = {}  # by experiment, as last judged

    def judge_all(self, watched: Sequence[Watched], manifest: Manifest | None) -> None:
        """Judge each experiment with new counts, at most once in INTERVAL_SECONDS; not before there is a manifest."""
        now = time.monotonic()
        if now < self._next or manifest is None:
            return
        self._next = now + INTERVAL_SECONDS
        if not watched:
            return
        with self._store.read() as connection:
            found: dict[int, Seen] = {
                each.id: (each.phase, (counts.read(connection, each.id), time.time() // HOUR_SECONDS))
                for each in watched
                if each.versions
            }
            # A stopped experiment changes by labels alone, and there may be many of them.
            stopped = {each.id: each.phase for each in watched if not each.versions}
            labelled = counts.of_labels(connection, stopped) if stopped else {}
        found |= {number: (phase, labelled.get(number)) for number, phase in stopped.items()}
        self._seen = {number: seen for number, seen in self._seen.items() if number in found}
        for each in watched:
            if self._seen.get(each.id) != found[each.id]:
                judge(self._store, each.name, manifest)
                self._seen[each.id] = found[each.id]


def judge(store: Store, name: str, manifest: Manifest) -> None:
    """Keep an interim result of an experiment if one is due; keep its first verdict and act on it."""
    with store.read() as connection:
        found = experiments.find(connection, name)
        if found is None or not _news(connection, found):
            return
    with store.write() as connection:
        held = experiments.find_with_hold_backs(connection, name)  # to act on them, too
        if held is None or not (news := _news(connection, held)):
            return
        interim_results.keep(connection, held.id, time.time(), news)
        if alarm := _alarm(connection, held, news):
            events.add(connection, f"experiment.{news['decision']['recommendation']}", name, _told(held, news),
                       once=alarm)  # fmt: skip
        if once := _overturned(connection, held, news):
            lifecycle.warn(connection, name, news["overturned"])
            told = {**_told(held, news), "reasons": [news["overturned"]]}
            events.add(connection, "experiment.verdict_overturned", name, told, once=once)
        if verdict := _verdict(held, news):
            _keep(connection, held, verdict)
            proposal = verdict["recommendation"] == REGRESSION
            events.add(connection, "experiment.rollback_proposed" if proposal else "experiment.verdict", name,
                       _told(held, news))  # fmt: skip
            if held.follows is None and held.spec["on_decision"] == "promote":
                _act(connection, held, verdict, manifest)
            elif proposal and held.spec["on_regression"] == "roll_back":
                _roll_back(connection, held, verdict, manifest)
            elif held.follows is not None and not proposal and held.status != "stopped":
                # It has used up its labels; its units go to other experiments.
                act = Act(GATEWAY, " ".join(verdict["reasons"]))
                lifecycle.step(connection, name, "stop", act, decision=verdict)


def _news(connection: Connection, experiment: Row) -> dict[str, Any] | None:
    """Return the report of an experiment if it holds the first verdict or an alarm, or an interim result is due."""
    if experiment.status not in WATCHED:
        return None
    found = report(connection, experiment)
    due = interim_results.due(connection, experiment.id, found["counts"]["labelled"])
    told = _alarm(connection, experiment, found) or _overturned(connection, experiment, found)
    return found if due or told or _verdict(experiment, found) else None


def _alarm(connection: Connection, experiment: Row, found: dict[str, Any]) -> str | None:
    """Return the key of a report's alarm, None without one; each is told once a phase, since it may come and go."""
    if found["decision"]["recommendation"] not in ALARMS:
        return None
    once = f"{found['decision']['recommendation']}:{experiment.id}:{experiment.phase}"
    return None if events.known(connection, once) else once


def _overturned(connection: Connection, experiment: Row, found: dict[str, Any]) -> str | None:
    """Return the key of a verdict that later labels overturn, None without one; it is told once an epoch and phase."""
    if not found.get("overturned"):
        return None
    once = f"overturned:{experiment.id}:{experiment.phase}"
    return None if events.known(connection, once) else once


def _told(experiment: Row, found: dict[str, Any]) -> dict[str, Any]:
    """Return the data of an event about a report."""
    return {"experiment": experiment.name, "phase": experiment.phase, "labelled": found["counts"]["labelled"],
            **found["decision"]}  # fmt: skip


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


def _act(connection: Connection, experiment: Row, verdict: dict[str, Any], manifest: Manifest) -> None:
    """Stop an experiment with a verdict, and promote its winner; warn where that is not possible."""
    hold(connection)  # the default variant
    obstacle = lifecycle.no_promotion(connection, experiment, manifest)
    if experiment.status != "running":
        obstacle = f"The experiment is {experiment.status}: its verdict is kept, but promotes nothing."
    if obstacle:
        lifecycle.warn(connection, experiment.name, obstacle)
        return
    reason = " ".join(verdict["reasons"])
    lifecycle.step(connection, experiment.name, "stop", Act(GATEWAY, reason), decision=verdict)
    if verdict["recommendation"] == "ship":
        promotions.promote(connection, verdict["variant"], GATEWAY, f"{experiment.name}: {reason}",
                           experiment=experiment.name)  # fmt: skip
        experiments.log(connection, GATEWAY, "promote", verdict["variant"], f"{experiment.name}: {reason}")
        hold_back.end(connection, f"{verdict['variant']} is the default variant now.")
        hold_back.begin(connection, experiment, verdict["variant"], manifest)


def _roll_back(connection: Connection, experiment: Row, verdict: dict[str, Any], manifest: Manifest) -> None:
    """Stop a hold-back with a verdict, and return to the old default; warn where that is not possible."""
    hold(connection)  # the default variant
    before = promotions.before(connection)
    returns_to = manifest.default_variant(before).name
    if experiment.status != "running":
        lifecycle.warn(connection, experiment.name, f"The hold-back is {experiment.status}: nothing is rolled back.")
        return
    if returns_to != verdict["variant"]:
        text = f"A rollback leads to {returns_to!r}, not to {verdict['variant']!r}, so nothing is rolled back."
        lifecycle.warn(connection, experiment.name, text)
        return
    reason = " ".join(verdict["reasons"])
    lifecycle.step(connection, experiment.name, "stop", Act(GATEWAY, reason), decision=verdict)
    promoted = experiment.spec["control"]
    promotions.roll_back(connection, GATEWAY, f"{experiment.name}: {reason}", experiment=experiment.name)
    experiments.log(connection, GATEWAY, "rollback", promoted, f"{experiment.name}: {reason}")
