"""The service `grpc.health.v1`: SERVING, for the server and each of its services, as long as it runs."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

HEALTH = health.SERVICE_NAME


class HealthService(health.HealthServicer):
    """The library's servicer, in a thread that no model occupies, whose watches end with the server."""

    def __init__(self, services: Iterable[str]) -> None:
        threads = ThreadPoolExecutor(1, "health")
        super().__init__(experimental_thread_pool=threads)
        HealthService.Check.experimental_thread_pool = threads  # type: ignore[attr-defined]
        for name in services:
            self.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._watches: set[grpc.ServicerContext] = set()

    def add_to(self, server: grpc.Server) -> None:
        """Register the service."""
        health_pb2_grpc.add_HealthServicer_to_server(self, server)

    def Check(self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Answer with the state; NOT_FOUND for a service that is not there."""
        return super().Check(request, context)

    def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext, send_response_callback: Any = None
    ) -> Any:
        """Send the state and leave the call open."""
        self._watches.add(context)
        context.add_callback(lambda: self._watches.discard(context))
        return super().Watch(request, context, send_response_callback)

    def end_watches(self) -> None:
        """Cancel all watches: a stopping server would wait for them until its time is over."""
        for context in list(self._watches):
            context.cancel()
