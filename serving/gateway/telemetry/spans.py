"""Tracing by OpenTelemetry; imported only where it is on, for a worker's memory."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from opentelemetry.context import attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serving.gateway.inference.tf_serving.channel import Metadata
from serving.gateway.server.wsgi import Environ

NAME = "dropserve-gateway"
SERVER_ERROR = 500
CARRIED = {"traceparent": "HTTP_TRACEPARENT", "tracestate": "HTTP_TRACESTATE"}  # headers and their names in WSGI
PREDICT = {"rpc.system": "grpc", "rpc.service": "tensorflow.serving.PredictionService", "rpc.method": "Predict"}

Attributes = Mapping[str, str | int]


class Begun(NamedTuple):
    """The span of a request that is being answered, and what makes it the current one."""

    span: Span
    token: Any

    @property
    def trace_id(self) -> str:
        """The trace's id, 32 hexadecimal digits."""
        return format(self.span.get_span_context().trace_id, "032x")


class Spans:
    """Makes a span for each request and each Predict call, and sends them from a thread of its own.

    OpenTelemetry's own variables say the rest: OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS and so on.
    """

    def __init__(self, endpoint: str) -> None:
        """Prepare to send to `endpoint`, an OTLP/HTTP address such as http://collector:4318/v1/traces."""
        resource = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", NAME)})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
        self._tracer = self._provider.get_tracer(__name__)
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, environ: Environ) -> Begun:
        """Start the span of a request, as a child of the caller's, and make it the current one."""
        carrier = {name: environ[key] for name, key in CARRIED.items() if key in environ}
        attributes = {"http.request.method": environ["REQUEST_METHOD"], "url.path": environ["PATH_INFO"]}
        parent = self._propagator.extract(carrier)
        span = self._tracer.start_span(environ["REQUEST_METHOD"], parent, SpanKind.SERVER, attributes)
        return Begun(span, attach(set_span_in_context(span)))

    def end(self, begun: Begun, name: str, status: int, attributes: Attributes) -> None:
        """End a request's span with what is known of it now; it fails with a server error alone."""
        begun.span.update_name(name)
        begun.span.set_attributes({"http.response.status_code": status, **attributes})
        if status >= SERVER_ERROR:
            begun.span.set_status(StatusCode.ERROR)
        begun.span.end()
        detach(begun.token)

    def current(self) -> Span:
        """Return the span of the request that the calling greenlet or thread answers."""
        return get_current_span()

    @contextmanager
    def call(self, model: str, spans: Sequence[Span]) -> Iterator[Metadata]:
        """Enclose one Predict call: a child of the first of `spans`, linked to the others that travel in it."""
        first, *others = spans
        links = [Link(other.get_span_context()) for other in others]
        attributes: Attributes = {**PREDICT, "dropserve.variant": model, "dropserve.requests": len(spans)}
        with self._tracer.start_as_current_span(
            "Predict", set_span_in_context(first), SpanKind.CLIENT, attributes, links
        ):
            headers: dict[str, str] = {}
            self._propagator.inject(headers)
            yield tuple(headers.items())

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()
