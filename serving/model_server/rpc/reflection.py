"""The service `grpc.reflection.v1alpha`, by which tools such as grpcurl learn the API."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

MAX_STREAMS = 4  # at a time; more wait


class ReflectionService(reflection.ReflectionServicer):
    """The library's servicer, in threads that no model occupies, whose streams end with the server."""

    def __init__(self, services: Iterable[str]) -> None:
        super().__init__((*services, reflection.SERVICE_NAME))
        threads = ThreadPoolExecutor(MAX_STREAMS, "reflection")
        ReflectionService.ServerReflectionInfo.experimental_thread_pool = threads  # type: ignore[attr-defined]
        self._streams: set[grpc.ServicerContext] = set()

    def add_to(self, server: grpc.Server) -> None:
        """Register the service."""
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(self, server)

    def ServerReflectionInfo(  # noqa: N802
        self, request_iterator: Iterator[reflection_pb2.ServerReflectionRequest], context: grpc.ServicerContext
    ) -> Iterator[reflection_pb2.ServerReflectionResponse]:
        """Answer each question of a stream, which a client may leave open."""
        self._streams.add(context)
        try:
            yield from super().ServerReflectionInfo(request_iterator, context)
        finally:
            self._streams.discard(context)

    def end_streams(self) -> None:
        """Cancel all streams: a stopping server would wait for them until its time is over."""
        for context in list(self._streams):
            context.cancel()
