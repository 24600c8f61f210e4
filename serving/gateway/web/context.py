"""What a view works with: the services of its application, and what it tells the log of its request."""

from dataclasses import dataclass

from flask import current_app, g

from serving.gateway.access.in_flight import InFlight
from serving.gateway.experiments.service import Experiments
from serving.gateway.inference.batching import Batcher
from serving.gateway.inference.breaker import GuardedModelServer
from serving.gateway.manifest import ManifestFile
from serving.gateway.settings import Settings
from serving.gateway.telemetry.metrics import Metrics
from serving.gateway.telemetry.tracing import Tracing
from serving.gateway.waits import Waits


@dataclass(frozen=True)
class Gateway:
    """The services of one application."""

    settings: Settings
    manifest: ManifestFile
    model_server: GuardedModelServer
    batcher: Batcher
    waits: Waits
    metrics: Metrics
    tracing: Tracing
    in_flight: InFlight
    experiments: Experiments

    def close(self) -> None:
        """Finish what is under way in the background; for the end of a worker."""
        self.experiments.close()
        self.waits.way.close()
        self.model_server.close()
        self.tracing.close()


@dataclass(slots=True)
class RequestRecord:
    """What is logged and counted of a request when it is answered."""

    id: str
    started: float
    variant: str = ""
    version: str = ""
    images: int = 0
    problem: str = ""
    trace_id: str = ""


def gateway() -> Gateway:
    """Return the services of the application that answers this request."""
    return current_app.extensions["gateway"]


def record() -> RequestRecord:
    """Return this request's record."""
    return g.record
