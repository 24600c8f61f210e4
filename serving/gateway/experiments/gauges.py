"""Show experiments under way, images to learn from and events to deliver as metrics; read from the store when asked."""

import time
from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Row

from serving.gateway.errors import GatewayError
from serving.gateway.experiments.evidence import report
from serving.gateway.store import events, experiments, images, kept
from serving.gateway.store.store import Store
from serving.gateway.telemetry.fresh import Fresh

KEPT_SECONDS = 10.0  # a report takes long, and Prometheus asks less often

OF_EXPERIMENTS = {
    "labels_waiting": ("Images in the label queue", []),
    "oldest_unlabelled_seconds": ("Time that the oldest of them has waited, 0 without any", []),
    "labelled": ("Labels that count", []),
    "e_value": ("Evidence that a variant differs from control", ["variant"]),
    "e_threshold": ("Evidence that decides", ["variant"]),
    "healthy": ("Whether a check holds", ["check"]),
    "decision": ("1 for the present recommendation", ["recommendation", "variant"]),
}  # fmt: skip

Samples = dict[str, list[tuple[list[str], float]]]


class ExperimentGauges(Collector):
    """Metrics of a store; one alone while it is unavailable, and those of events only where a receiver takes them."""

    def __init__(self, store: Store, *, delivers: bool) -> None:
        """Prepare to read `store`."""
        self._store, self._delivers = store, delivers
        self._kept = Fresh(self._read, seconds=KEPT_SECONDS)

    def collect(self) -> Iterable[Metric]:
        """Return the metrics, at most KEPT_SECONDS old."""
        try:
            return self._kept.get()
        except GatewayError:
            return [_up(False)]  # the store has logged it

    def _read(self) -> list[Metric]:
        with self._store.read() as connection:
            of_events = _of_events(connection) if self._delivers else ()
            return [_up(True), *_of_experiments(connection), _of_learning(connection), *of_events]


def _up(answers: bool) -> Metric:
    return GaugeMetricFamily("gateway_store_up", "Whether the store answers", float(answers))


def _of_learning(connection: Connection) -> Metric:
    family = GaugeMetricFamily("gateway_kept_images", "Images that are kept to learn from", labels=["state"])
    for state, number in kept.count_by_state(connection).items():
        family.add_metric([state], number)
    return family


def _of_experiments(connection: Connection) -> Iterator[Metric]:
    shown = [row for row in experiments.every(connection) if row.status in experiments.UNDER_WAY]
    samples = [(row.name, _samples(connection, row)) for row in shown]
    for name, (meaning, labels) in OF_EXPERIMENTS.items():
        family = GaugeMetricFamily(f"gateway_experiment_{name}", meaning, labels=["experiment", *labels])
        for experiment, found in samples:
            for values, value in found[name]:
                family.add_metric([experiment, *values], value)
        yield family


def _samples(connection: Connection, row: Row) -> Samples:
    found, oldest = report(connection, row), images.oldest_queued(connection, row.id)
    decision = found["decision"]
    return {
        "labels_waiting": [([], images.count_queued(connection, row.id))],
        "oldest_unlabelled_seconds": [([], max(0.0, time.time() - oldest) if oldest else 0.0)],
        "labelled": [([], found["counts"]["labelled"])],
        "e_value": [([each["variant"]], each["e_value"]) for each in found["comparisons"]],
        "e_threshold": [([each["variant"]], each["e_threshold"]) for each in found["comparisons"]],
        "healthy": [([name], float(check["ok"])) for name, check in found["checks"].items()],
        "decision": [([decision["recommendation"], decision["variant"] or ""], 1.0)],
    }


def _of_events(connection: Connection) -> Iterator[Metric]:
    waiting, oldest = events.waiting(connection)
    yield GaugeMetricFamily("gateway_events_waiting", "Events that the receiver of webhooks has not taken", waiting)
    age = max(0.0, time.time() - oldest) if oldest else 0.0
    yield GaugeMetricFamily("gateway_oldest_event_seconds", "Time that the oldest of them has waited", age)
