"""The services of an application, and the record of each of its requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import current_app, g

from serving.gateway.access.in_flight import InFlight
from serving.gateway.experiments.service import Experiments
from serving.gateway.imaging.decoders import Decoders
from serving.gateway.inference.batching import Batcher
from serving.gateway.inference.breaker import GuardedModelServer
from serving.gateway.inference.dispatch import Dispatch
from serving.gateway.learning.keeper import Keeper
from serving.gateway.manifest import ManifestFile
from serving.gateway.server.event_loop import EventLoop
from serving.gateway.settings import Settings
from serving.gateway.telemetry.fresh import Fresh
from serving.gateway.telemetry.journal import Journal
from serving.gateway.telemetry.metrics import Metrics
from serving.gateway.telemetry.tracing import Tracing
from serving.gateway.web.request import Request

if TYPE_CHECKING:
    from serving.gateway.access.admission import Admission


@dataclass(frozen=True)
class Gateway:
    """The services of one application."""

    settings: Settings
    manifest: ManifestFile
    event_loop: EventLoop
    model_server: GuardedModelServer
    batcher: Batcher
    decoders: Decoders
    predictions: Dispatch[Any, Any, Any]
    metrics: Metrics
    journal: Journal
    tracing: Tracing
    in_flight: InFlight
    admission: Admission
    readiness: Fresh[None]
    experiments: Experiments
    keeper: Keeper

    async def finish(self) -> None:
        """Finish what is under way on the event loop, and close the connection to the model server."""
        await self.experiments.shadow.finish()
        await self.model_server.close()

    def close(self) -> None:
        """Write the records that wait and end the threads; for the end of a worker, after `finish`."""
        self.predictions.close()
        self.decoders.close()
        self.keeper.close()
        self.experiments.close()
        self.journal.flush()
        self.tracing.close()
        self.event_loop.close()


@dataclass(slots=True)
class RequestRecord:
    """The facts about a request that are logged and counted when it is answered."""

    id: str
    started: float  # on the performance counter
    span: Any = None
    trace_id: str = ""
    variant: str = ""
    version: str = ""
    images: int = 0
    problem: str = ""


def gateway() -> Gateway:
    """Return the services of the application that answers this Flask request."""
    return current_app.extensions["gateway"]


def incoming() -> Request:
    """Return this Flask request as the gateway works with it."""
    return g.incoming


def caller() -> str | None:
    """Return the id of the key or token that this Flask request bears, None without one."""
    return g.incoming.caller or None


def record() -> RequestRecord:
    """Return this Flask request's record."""
    return g.record
