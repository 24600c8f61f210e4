"""Read the counts of an experiment, and report on them."""

from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from sqlalchemy import Connection, Row

from serving.gateway.experiments.outcomes import Latency, PhaseCounts
from serving.gateway.experiments.report import build_report
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store import counts, exposures
from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.experiments import phases_of

SOURCES = ("ground_truth", "audit", "user")
ALARMS = ("unhealthy", "guardrail_broken")  # these override an earlier verdict


def report(connection: Connection, experiment: Row) -> dict[str, Any]:
    """Return the report of an experiment; its `verdict` is the first one reached, and stands."""
    spec = ExperimentSpec.model_validate(experiment.spec)
    tallies = counts.read(connection, experiment.id)
    phases = [
        _phase(tuple(phase.weights), tallies.get(phase.number, Tally()))
        for phase in phases_of(connection, experiment.id)
    ]
    total = sum(tallies.values(), Tally())
    arms = range(len(spec.arms))
    latencies = [_latency(total, arm) for arm in arms]
    built = build_report(spec.design, phases, latencies, experiment.status, datetime.now(UTC))
    built["labels"] = {source: sum(total[Count(f"labels_{source}", arm)] for arm in arms) for source in SOURCES}
    built["verdict"] = experiment.verdict
    if experiment.verdict and built["decision"]["recommendation"] not in ALARMS:
        built["decision"] = {key: experiment.verdict[key] for key in ("recommendation", "variant", "reasons")}
    return built


def _phase(weights: tuple[float, ...], tally: Tally) -> PhaseCounts:
    def by_arm(name: str) -> tuple[int, ...]:
        return tuple(tally[Count(name, arm)] for arm in range(len(weights)))

    labelled = by_arm("labelled")
    return PhaseCounts(
        weights=weights, units=by_arm("units"), labelled_units=labelled, errors=by_arm("errors"), labelled=labelled,
        masks={count.value: n for count, n in tally.items() if count.name == "mask"},
        requests=by_arm("requests"), failures=by_arm("failures"), slow=by_arm("slow"),
        compared=tally[Count("compared")], disagreements=tally[Count("disagreements")],
        labelled_disagreements=tally[Count("labelled_disagreements")],
    )  # fmt: skip


def _latency(tally: Tally, arm: int) -> Latency | None:
    """Return the percentiles of an arm's histogram, None for an empty one."""
    buckets = sorted((c.value, n) for c, n in tally.items() if c.name == "latency" and c.arm == arm)
    total = sum(n for _, n in buckets)
    return Latency(_percentile(buckets, 0.5 * total), _percentile(buckets, 0.99 * total)) if total else None


def _percentile(buckets: list[tuple[int, int]], rank: float) -> float:
    """Return the upper bound, in milliseconds, of the bucket with the case of this rank."""
    reached = accumulate(n for _, n in buckets)
    bucket = next(value for (value, _), n in zip(buckets, reached, strict=True) if n >= rank)
    return round(exposures.upper_bound(bucket), 2)
