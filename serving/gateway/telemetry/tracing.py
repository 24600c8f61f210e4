"""Follow requests to the calls that are made for them: not at all, or where an address is set by OpenTelemetry."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from serving.gateway.inference.tf_serving.channel import Metadata


class Tracing(Protocol):
    """What the gateway tells of what it does; a request's span is whatever `current` returned."""

    def current(self) -> Any:
        """Return the span of the request that the calling greenlet or thread answers."""

    def call(self, model: str, spans: Sequence[Any]) -> AbstractContextManager[Metadata]:
        """Enclose one Predict call, made for the requests of `spans`; give the metadata that tells the server."""

    def close(self) -> None:
        """Send what has not been sent."""


class NoTracing:
    """Follows nothing, and costs nothing."""

    def current(self) -> None:
        """Return nothing."""

    def call(self, model: str, spans: Sequence[Any]) -> AbstractContextManager[Metadata]:
        """Enclose nothing."""
        return nullcontext(())

    def close(self) -> None:
        """Do nothing."""
