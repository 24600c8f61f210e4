"""Follow requests to the calls that are made for them: by OpenTelemetry where an address is set, else not at all."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from serving.gateway.inference.tf_serving.client import Metadata


class Tracing(Protocol):
    """Spans of requests and of Predict calls; a span is whatever `begin` returned."""

    def begin(self, method: str, path: str, headers: Mapping[str, str]) -> Any:
        """Start the span of a request, as a child of the caller's."""

    def trace_id(self, span: Any) -> str:
        """Return the trace's id, 32 hexadecimal digits, empty where nothing is traced."""

    def end(self, span: Any, name: str, status: int, attributes: Mapping[str, str | int]) -> None:
        """End a request's span; it fails with a server error alone."""

    def call(self, model: str, spans: Sequence[Any]) -> AbstractContextManager[Metadata]:
        """Enclose one Predict call, made for the requests of `spans`; give the metadata that tells the server."""

    def close(self) -> None:
        """Send the spans that wait."""


class NoTracing:
    """Follows nothing, and costs nothing."""

    def begin(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Start nothing."""

    def trace_id(self, span: Any) -> str:
        """Return an empty text."""
        return ""

    def end(self, span: Any, name: str, status: int, attributes: Mapping[str, str | int]) -> None:
        """End nothing."""

    def call(self, model: str, spans: Sequence[Any]) -> AbstractContextManager[Metadata]:
        """Enclose nothing."""
        return nullcontext(())

    def close(self) -> None:
        """Do nothing."""


def tracing(endpoint: str) -> Tracing:
    """Return the tracing that sends to `endpoint`, none if it is empty: such a worker loads no OpenTelemetry."""
    if not endpoint:
        return NoTracing()
    from serving.gateway.telemetry.spans import Spans

    return Spans(endpoint)
