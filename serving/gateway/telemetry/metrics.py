"""Count and time what the gateway does, for Prometheus."""

import logging
import os
import time
from collections import Counter as Counted
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, partial, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from serving.gateway.telemetry.fresh import Fresh

logger = logging.getLogger(__name__)

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
OUTCOMES = ("delivered", "failed", "given_up")  # of an attempt to deliver an event
CIRCUIT = {"closed": 0, "half_open": 1, "open": 2}
MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"  # the variable by which prometheus-client shares between workers

# Path (the route's pattern), variant, version, status, seconds, images.
Answered = tuple[str, str, str, int, float, int]

P = ParamSpec("P")


def _where_possible(record: Callable[Concatenate["Metrics", P], None]) -> Callable[Concatenate["Metrics", P], None]:
    """Return a method that gives up where `record` finds no room: the first of some labels takes space on a disk.

    No request fails for that. It is logged once; a worker whose file could not grow goes on counting what it has.
    """

    @wraps(record)
    def attempt(self: "Metrics", *arguments: P.args, **named: P.kwargs) -> None:
        try:
            record(self, *arguments, **named)
        except (OSError, IndexError) as error:  # the file cannot grow, or could not the time before
            if not self.incomplete:
                self.incomplete = True
                logger.error("metrics are incomplete from now on: there is no room for them: %s", error)

    return attempt


class Metrics:
    """The gateway's metrics; `variant` and `version` are empty where no model answered.

    Labels come from sets that no client can enlarge: the routes' patterns, the manifest's variants, statuses, reasons.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._text = Fresh(self._merged, clock)  # merging the files of all workers takes milliseconds
        self.incomplete = False  # whether there was no room for something
        self._registry = registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        seconds, images = (partial(Histogram, registry=registry, buckets=edges) for edges in (SECONDS, IMAGES))
        of_request, of_model, of_variant = ["path", "variant", "version", "status"], ["variant", "version"], ["variant"]

        requests = counter("gateway_requests", "Requests answered", of_request)
        durations = seconds("gateway_request_seconds", "Time from a request's arrival to its answer", of_request[:-1])
        self._images = cache(images("gateway_request_images", "Images in a request", of_model).labels)
        refused = counter("gateway_refused", "Requests turned away before a model was asked", ["reason"])
        calls = counter("gateway_model_server_calls", "Predict calls, by gRPC status", ["variant", "status"])
        call_seconds = seconds("gateway_model_server_seconds", "Time a Predict call took", of_variant)
        batches = images("gateway_batch_images", "Images in a Predict call", of_variant)
        # Finding the children of labels takes as long as counting with them, so they are kept.
        self._requests, self._durations = cache(requests.labels), cache(durations.labels)
        self._refused, self._calls = cache(refused.labels), cache(calls.labels)
        self._call = cache(lambda variant: (call_seconds.labels(variant), batches.labels(variant)))
        self._circuit = gauge(
            "gateway_circuit_state", "Calls to a variant: 0 pass, 1 are tried, 2 are held back", of_variant,
            multiprocess_mode="livemax",
        ).labels  # fmt: skip
        living = partial(gauge, multiprocess_mode="livesum")
        self._in_flight = living("gateway_in_flight", "Predictions that are being worked on")
        self._queued = living("gateway_queued_images", "Images that wait for a Predict call")
        self.exposures_dropped = counter(
            "gateway_exposures_dropped", "Exposures that the store had no room or time for"
        )
        self.shadows_dropped = counter(
            "gateway_shadows_dropped", "Images about which other arms were not asked for want of time"
        )
        webhooks = counter("gateway_webhook_deliveries", "Attempts to deliver an event, by outcome", ["outcome"])
        self._webhooks = cache(webhooks.labels)
        for outcome in OUTCOMES:  # from 0 on: of a series that begins with 1, Prometheus sees no increase
            self._webhooks(outcome)
        self._of_store: list[Collector] = []

    @_where_possible
    def answered(self, requests: Sequence[Answered]) -> None:
        """Record answered requests."""
        for labels, times in Counted(request[:4] for request in requests).items():
            self._requests(*labels).inc(times)
        for path, variant, version, _, seconds, images in requests:
            self._durations(path, variant, version).observe(seconds)
            if images:
                self._images(variant, version).observe(images)

    @_where_possible
    def refused(self, reason: str) -> None:
        """Record a request that was turned away for `reason`: host, origin, login, rate, key, in_flight, …"""
        self._refused(reason).inc()

    @_where_possible
    def model_server_call(self, variant: str, status: str, seconds: float, images: int) -> None:
        """Record one Predict call: its gRPC status, such as OK or UNAVAILABLE, how long it took, and its images."""
        self._calls(variant, status).inc()
        durations, batches = self._call(variant)
        durations.observe(seconds)
        batches.observe(images)

    @_where_possible
    def circuit(self, variant: str, state: str) -> None:
        """Record that a variant's circuit is now `closed`, `half_open` or `open`."""
        self._circuit(variant).set(CIRCUIT[state])

    @_where_possible
    def webhook(self, outcome: str) -> None:
        """Record an attempt to deliver an event: delivered, failed or given_up."""
        self._webhooks(outcome).inc()

    def add(self, collector: Collector) -> None:
        """Have `collector` find its metrics whenever the text is merged: those that are the same in all workers."""
        self._of_store.append(collector)

    def in_flight(self, predictions: int) -> None:
        """Record how many predictions this worker works on now."""
        self._in_flight.set(predictions)

    def queued(self, images: int) -> None:
        """Record how many images wait in this worker for a call to the model server now."""
        self._queued.set(images)

    def text(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format, at most FRESH_SECONDS old."""
        return self._text.get()

    def _merged(self) -> bytes:
        registry = CollectorRegistry()
        for collector in (self._registry if MULTIPROCESS_DIR not in os.environ else _OfAllWorkers(), *self._of_store):
            registry.register(collector)
        return generate_latest(registry)


class _OfAllWorkers(Collector):
    """Merge the workers' files, but for empty ones, which got no room."""

    def collect(self) -> Iterable[Metric]:
        files = [str(file) for file in Path(os.environ[MULTIPROCESS_DIR]).glob("*.db") if _size(file)]
        return MultiProcessCollector.merge(files)


def _size(file: Path) -> int:
    with suppress(FileNotFoundError):  # its worker has just ended
        return file.stat().st_size
    return 0
