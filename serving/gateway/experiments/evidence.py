"""Read the counts of an experiment, and report on them."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from serving.gateway.experiments.maturity import maturity
from serving.gateway.experiments.outcomes import Cases, Latency, PairCounts, PhaseCounts
from serving.gateway.experiments.regression import judge_regression
from serving.gateway.experiments.report import build_report
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store import counts, days, exposures, fair_sample, units
from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.experiments import phases_of
from serving.gateway.store.sources import SOURCES

SHOWN = tuple(reversed(SOURCES))
ALARMS = ("unhealthy", "guardrail_broken")  # these override an earlier verdict
ON_LABELS = ("ship", "roll_back", "equivalent", "regression")  # recommendations by evidence
WITHDRAWN = (*ON_LABELS, "inconclusive")  # verdicts that other labels would change


class Judged(NamedTuple):
    """An experiment's spec, all its phases, and the counts of those in which the arms have their present versions.

    `first` is the number of the first of these phases, `began` its start in seconds, `total` the sum of their counters.
    """

    spec: ExperimentSpec
    rows: Sequence[Row]
    phases: list[PhaseCounts]
    first: int
    began: float | None
    total: Tally


def judged(connection: Connection, experiment: Row) -> Judged:
    """Read the counts of an experiment that are evidence on the present versions of its arms."""
    spec = ExperimentSpec.model_validate(experiment.spec)
    tallies = counts.read(connection, experiment.id)
    rows = phases_of(connection, experiment.id)
    present = [row for row in rows if row.epoch == rows[-1].epoch]
    phases = [_phase(tuple(row.weights), spec, tallies.get(row.number, Tally()), time.time()) for row in present]
    total = sum((tallies.get(row.number, Tally()) for row in present), Tally())
    first, began = (present[0].number, present[0].started_at) if present else (1, None)
    return Judged(spec, rows, phases, first, began, total)


def report(connection: Connection, experiment: Row) -> dict[str, Any]:
    """Return the report of an experiment; its `verdict` is the first one reached, and stands.

    Evidence comes from the phases in which the arms had their present versions.
    """
    spec, rows, phases, first, began, total = judged(connection, experiment)
    now = datetime.fromtimestamp(time.time(), UTC)
    arms = range(len(spec.arms))
    served = [_latency(total, arm, "latency") for arm in arms]
    latencies = [found or _latency(total, arm, "latency_shadow") for arm, found in enumerate(served)]
    till = now if experiment.stopped_at is None else datetime.fromtimestamp(experiment.stopped_at, UTC)
    exposed = _exposed(connection, experiment, spec.min_units, phases, first)
    built = build_report(spec.design, phases, latencies, experiment.status, now, first, began, till, exposed)
    built["maturity"] = maturity(spec.design, total, began, now, till, exposed)
    built["versions"] = dict(zip(spec.variants, rows[-1].versions, strict=True)) if rows else {}
    if first > 1:
        built["notes"].append(
            f"Phases 1 to {first - 1} are left out: their evidence is on other versions of the arms, "
            "or was collected before an upgrade."
        )
    built["notes"] += [
        f"The latencies of {variant} are those of background requests, which wait for each other."
        for arm, variant in enumerate(spec.variants)
        if latencies[arm] and not served[arm]
    ]
    built["labels"] = {source: sum(total[Count(f"labels_{source}", arm)] for arm in arms) for source in SHOWN}
    if experiment.follows is not None:
        judge_regression(connection, experiment, built)
    built["verdict"] = experiment.verdict
    built["overturned"] = overturned(experiment.verdict, built["decision"], built["comparisons"])
    if built["overturned"]:
        built["notes"].insert(0, built["overturned"])
    if experiment.verdict and built["decision"]["recommendation"] not in ALARMS:
        built["decision"] = {key: experiment.verdict[key] for key in ("recommendation", "variant", "reasons")}
    return built


def _exposed(connection: Connection, experiment: Row, least: int, phases: Sequence[PhaseCounts], first: int) -> int:
    """Return the number of units that were exposed; below `least` a unit of several phases counts once."""
    of_phases = [sum(phase.units) for phase in phases]
    counted, largest = sum(of_phases), max(of_phases, default=0)
    if largest >= least or counted < least or experiment.status == "archived":  # whose units may be deleted
        return counted
    apart = units.distinct(connection, experiment.id, range(first, first + len(phases)), least)
    return apart if apart < least else counted


def overturned(
    verdict: dict[str, Any] | None, now: dict[str, Any], comparisons: Sequence[dict[str, Any]]
) -> str | None:
    """Say that the evidence of today leads to another verdict than the one that stands, None where it does not.

    The same verdict on another variant does not where it still holds for the first one: one variant of several may have
    become the clearer one.
    """
    if not verdict or now["recommendation"] not in ON_LABELS or verdict["recommendation"] not in WITHDRAWN:
        return None
    same = now["recommendation"] == verdict["recommendation"]
    of = {each["variant"]: each["verdict"] for each in comparisons}
    if same and of.get(now["variant"]) == of.get(verdict["variant"]):
        return None
    before, after = (
        f"{each['recommendation']!r}" + (f" of {each['variant']}" if same else "") for each in (verdict, now)
    )
    return f"Later labels overturn the verdict {before}: by all labels it is {after}. {' '.join(now['reasons'])}"


def _phase(weights: tuple[float, ...], spec: ExperimentSpec, tally: Tally, now: float) -> PhaseCounts:
    def by_arm(name: str) -> tuple[int, ...]:
        return tuple(tally[Count(name, arm)] for arm in range(len(weights)))

    def alone(name: str) -> int:
        return tally[Count(name)]

    def of_mature(arm: int) -> int:
        last = days.day(now - spec.maturity_days * days.DAY_SECONDS) - 1  # a whole day before
        return sum(n for c, n in tally.items() if c.name == days.LABELLED and c.arm == arm and c.value <= last)

    pairs = _pairs(len(weights), tally) if spec.paired else ()
    return PhaseCounts(
        weights=weights, units=by_arm("units"), labelled=by_arm("labelled"), errors=by_arm("errors"),
        firsts={(count.arm, count.value): n for count, n in tally.items() if count.name == "first" and n},
        pairs=pairs, exposures=by_arm("exposures"), images=by_arm("exposed_images"),
        requests=by_arm("requests"), failures=by_arm("failures"), stand_ins=by_arm("stand_ins"),
        failed=Cases(by_arm("case_failed"), by_arm("case_failed_shadow")),
        slow=Cases(by_arm("case_slow"), by_arm("case_slow_shadow")),
        calls=Cases(by_arm("calls"), by_arm("calls_shadow")),
        labels=alone("labels"), volunteered=alone("volunteered"), compared=alone("compared"),
        disagreements=alone("disagreements"), labelled_disagreements=alone("labelled_disagreements"),
        trusted_disagreements=sum(n for c, n in tally.items() if c.name == days.DIFFERING_LABELLED)
        if alone("volunteered") else alone("labelled_disagreements"),
        unreadable=alone("unreadable"), repeats=alone("repeats"), without_answers=alone("without_answers"),
        mature=tuple(map(of_mature, range(len(weights)))) if spec.maturity_days else None,
    )  # fmt: skip


def _pairs(arms: int, tally: Tally) -> tuple[PairCounts, ...]:
    net: dict[int, dict[int, int]] = {arm: {} for arm in range(arms)}
    for count, n in tally.items():
        if count.name == "net" and n:
            net[count.arm][count.value] = n

    def of(arm: int) -> PairCounts:
        def value(name: str) -> int:
            return tally[Count(name, arm)]

        # Without labels of users all are trusted; an earlier release, which had none, counted none apart.
        trusted = "trusted_" if value("pair_volunteered") else ""
        return PairCounts(
            units=value("pair_units"), images=value("pair_images"), disagreements=value("pair_disagreements"),
            labelled_disagreements=value("pair_labelled"), volunteered=value("pair_volunteered"), won=value("won"),
            lost=value("lost"), trusted_won=value(f"{trusted}won"), trusted_lost=value(f"{trusted}lost"),
            first_won=value("first_won"), first_lost=value("first_lost"), net=net[arm], squares=value("squares"),
            products=value("products"), sizes=value("sizes"),
            sample_log_e=value(fair_sample.LOG_E) / fair_sample.MILLIONTHS,
        )  # fmt: skip

    return tuple(of(arm) for arm in range(arms))


def _latency(tally: Tally, arm: int, name: str) -> Latency | None:
    """Return the percentiles of an arm's histogram of this name, None for an empty one."""
    buckets = sorted((c.value, n) for c, n in tally.items() if c.name == name and c.arm == arm)
    total = sum(n for _, n in buckets)
    return Latency(_percentile(buckets, 0.5 * total), _percentile(buckets, 0.99 * total)) if total else None


def _percentile(buckets: list[tuple[int, int]], rank: float) -> float:
    """Return the upper bound, in milliseconds, of the bucket with the case of this rank."""
    reached = accumulate(n for _, n in buckets)
    bucket = next(value for (value, _), n in zip(buckets, reached, strict=True) if n >= rank)
    return round(exposures.upper_bound(bucket), 2)
