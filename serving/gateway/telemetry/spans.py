"""Tracing by OpenTelemetry; imported only where it is on, for a worker's memory."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serving.gateway.inference.tf_serving.client import Metadata

NAME = "dropserve-gateway"
SERVER_ERROR = 500
CARRIED = ("traceparent", "tracestate")  # fields of the caller's span
LONGEST = 512  # characters of each; OpenTelemetry would log all of a longer one
PREDICT = {"rpc.system": "grpc", "rpc.service": "tensorflow.serving.PredictionService", "rpc.method": "Predict"}

Attributes = Mapping[str, str | int]


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

    def begin(self, method: str, path: str, headers: Mapping[str, str]) -> Span:
        """Start the span of a request, as a child of the caller's."""
        attributes = {"http.request.method": method, "url.path": path}
        caller = {name: headers[name] for name in CARRIED if 0 < len(headers.get(name, "")) <= LONGEST}
        return self._tracer.start_span(method, self._propagator.extract(caller), SpanKind.SERVER, attributes)

    def trace_id(self, span: Span) -> str:
        """Return the trace's id, 32 hexadecimal digits."""
        return format(span.get_span_context().trace_id, "032x")

    def end(self, span: Span, name: str, status: int, attributes: Attributes) -> None:
        """End a request's span; it fails with a server error alone."""
        span.update_name(name)
        span.set_attributes({"http.response.status_code": status, **attributes})
        if status >= SERVER_ERROR:
            span.set_status(StatusCode.ERROR)
        span.end()

    @contextmanager
    def call(self, model: str, spans: Sequence[Span]) -> Iterator[Metadata]:
        """Enclose one Predict call: a child of the first of `spans`, linked to the others that travel in it."""
        known = [span for span in spans if span is not None]  # nobody waits for background calls
        if not known:
            yield ()
            return
        first, *others = known
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
