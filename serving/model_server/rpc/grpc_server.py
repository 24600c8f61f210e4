"""The gRPC server: grpcio's synchronous one, which needs less processor time a call than `grpc.aio` does."""

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc

from serving.model_server.rpc.health import HEALTH, HealthService
from serving.model_server.rpc.reflection import ReflectionService

Methods = Mapping[str, grpc.RpcMethodHandler]
# Calls that run or wait for a thread; more get RESOURCE_EXHAUSTED, so a flood of calls cannot take all memory.
MAX_CALLS = 1024


class GrpcServer:
    """A server of unary calls, of reflection and, on request, of `grpc.health.v1`."""

    def __init__(
        self, services: Mapping[str, Methods], threads: int, options: Sequence[tuple[str, int | str]], health: bool
    ) -> None:
        """Serve `services` (name → method → handler) in so many threads; `options` are gRPC's channel arguments."""
        self._server = grpc.server(
            ThreadPoolExecutor(threads, "call"),
            # Otherwise a second server on the same port would take half of the connections.
            options=[("grpc.so_reuseport", 0), *options],
            maximum_concurrent_rpcs=max(threads, MAX_CALLS),
        )
        for name, methods in services.items():
            self._server.add_registered_method_handlers(name, dict(methods))
        self._health = HealthService(services) if health else None
        if self._health:
            self._health.add_to(self._server)
        self._reflection = ReflectionService((*services, *([HEALTH] if health else [])))
        self._reflection.add_to(self._server)

    def listen(self, address: str) -> None:
        """Open `host:port` or `unix:PATH`; raise `OSError` where that fails.

        A socket, and its folder where there is none yet, are for this user alone.
        """
        scheme, _, path = address.partition(":")
        if scheme == "unix":
            os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
        try:
            self._server.add_insecure_port(address)
        except RuntimeError as error:  # the address may be in use, not be one of this machine, or be malformed
            raise OSError(str(error)) from error
        if scheme == "unix":
            os.chmod(path, 0o600)

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self, grace: float) -> threading.Event:
        """Refuse new calls and abort those still under way after `grace` seconds; return the event of the end."""
        ended = self._server.stop(grace)
        if self._health:
            self._health.end_watches()
        self._reflection.end_streams()
        return ended
