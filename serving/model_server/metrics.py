"""Counts and latencies for Prometheus, under TF Serving's names."""

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest

REQUESTS = ":tensorflow:serving:request_count"
LATENCY = ":tensorflow:serving:request_latency"
# TF Serving's own bounds in microseconds: from 10, each 1.8 times the one before.
BUCKETS = [10 * 1.8**power for power in range(33)]


class Metrics:
    """The requests of a server, counted per model."""

    def __init__(self) -> None:
        disable_created_metrics()  # TF Serving has no time series of when a counter began
        self._registry = CollectorRegistry()
        self._requests = Counter(
            REQUESTS, "The total number of requests.", ["model_name", "status"], registry=self._registry
        )
        self._latencies = Histogram(
            LATENCY, "Microseconds that successful requests took.", ["model_name", "API", "entrypoint"],
            buckets=BUCKETS, registry=self._registry,
        )  # fmt: skip

    def record(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """Count one request that ended with `status`; only successful ones have a latency, as in TF Serving."""
        self._requests.labels(model, status).inc()
        if status == "OK":
            self._latencies.labels(model, api, entrypoint).observe(seconds * 1e6)

    def render(self) -> bytes:
        """Return all counts in Prometheus' text format."""
        # The library ends each counter's name with `_total`; TF Serving does not.
        return generate_latest(self._registry).replace(f"{REQUESTS}_total".encode(), REQUESTS.encode())
