"""Count and time what the gateway does, for Prometheus."""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"  # the variable by which prometheus-client shares between workers


class Metrics:
    """The gateway's metrics; `variant` and `version` are empty where no model answered."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "gateway_requests", "Requests answered", ["path", "variant", "version", "status"], registry=registry
        )
        self.seconds = Histogram(
            "gateway_request_seconds",
            "Time from a request's arrival to its answer",
            ["path", "variant", "version"],
            buckets=SECONDS,
            registry=registry,
        )
        self.images = Histogram(
            "gateway_request_images", "Images in a request", ["variant", "version"], buckets=IMAGES, registry=registry
        )
        self.exposures_dropped = Counter(
            "gateway_exposures_dropped", "Exposures that the store had no room or time for", registry=registry
        )
        self.shadows_dropped = Counter(
            "gateway_shadows_dropped",
            "Images about which other arms were not asked for want of time",
            registry=registry,
        )

    def answered(self, path: str, variant: str, version: str, status: int, seconds: float, images: int) -> None:
        """Record one answered request; `path` is the route's pattern."""
        self.requests.labels(path, variant, version, status).inc()
        self.seconds.labels(path, variant, version).observe(seconds)
        if images:
            self.images.labels(variant, version).observe(images)

    def text(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format."""
        if MULTIPROCESS_DIR not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return generate_latest(registry)
