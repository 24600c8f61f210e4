"""A circuit breaker a variant: one that has just failed several times is not asked for a moment, and nobody waits.

After the moment one call is let through. What it finds out decides whether the others may go on.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from serving.gateway.errors import BadGateway, DeadlineExceeded, Unavailable
from serving.gateway.inference.tf_serving import wire_pb2 as wire
from serving.gateway.inference.tf_serving.channel import Metadata
from serving.gateway.inference.tf_serving.client import ModelServer
from serving.gateway.telemetry.metrics import Metrics
from serving.gateway.waits import Waits

logger = logging.getLogger(__name__)

FAILURES = 3  # of calls, one after the other
MOMENT_SECONDS = 0.25  # a server that is back is noticed after this


class Circuit:
    """Whether one variant may be asked: it is closed, then all calls pass, or open, then one does now and then."""

    def __init__(self, variant: str, trial_seconds: float, changed: Callable[[str, str], None]) -> None:
        """Begin closed; a call that is let through to find out may take `trial_seconds` before the next one is."""
        self._variant = variant
        self._trial_seconds = trial_seconds
        self._changed = changed
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None  # on the monotonic clock; None: the circuit is closed
        self._reason = ""

    def refusal(self) -> str:
        """Return why a call would be refused at this moment, nothing if it would not."""
        with self._lock:
            return self._reason if self._open_until is not None and time.monotonic() < self._open_until else ""

    def enter(self) -> None:
        """Let a call pass, or raise Unavailable."""
        now = time.monotonic()
        with self._lock:
            if self._open_until is None:
                return
            if now < self._open_until:
                raise Unavailable(self._reason)
            self._open_until = now + self._trial_seconds
        self._changed(self._variant, "half_open")

    def worked(self) -> None:
        """Learn that a call was answered."""
        with self._lock:
            was_open, self._open_until, self._failures = self._open_until is not None, None, 0
        if was_open:
            logger.warning("variant %r answers again", self._variant)
            self._changed(self._variant, "closed")

    def failed(self, detail: str) -> None:
        """Learn that a call was not answered, and why."""
        with self._lock:
            self._failures += 1
            was_open = self._open_until is not None
            if self._failures < FAILURES:
                return
            self._reason = f"Variant {self._variant!r} has just failed and is not asked for a moment: {detail}"
            self._open_until = time.monotonic() + MOMENT_SECONDS
        if not was_open:
            logger.warning("variant %r failed %d times in a row: %s", self._variant, FAILURES, detail)
        self._changed(self._variant, "open")


class GuardedModelServer(ModelServer):
    """A client of one model server that leaves a variant alone for a moment when asking it has failed."""

    def __init__(self, address: str, deadline: float, waits: Waits, metrics: Metrics) -> None:
        """Prepare for the server at `address`; no call lasts longer than `deadline` seconds."""
        super().__init__(address, deadline, waits, metrics.model_server_call)
        self._metrics = metrics
        self._circuits: dict[str, Circuit] = {}

    def _call(
        self, model: str, request: Sequence[bytes], images: int, timeout: float, metadata: Metadata
    ) -> wire.PredictResponse:
        """Do as the client does; raise Unavailable at once while the circuit of `model` is open."""
        circuit = self._circuit(model)
        try:
            circuit.enter()
        except Unavailable:
            self._metrics.refused("circuit")
            raise
        try:
            response = super()._call(model, request, images, timeout, metadata)
        except Unavailable as error:
            circuit.failed(error.detail)
            raise
        except DeadlineExceeded as error:
            if timeout > self._deadline / 2:  # with less, the time was lost before the call
                circuit.failed(error.detail)
            raise
        except BadGateway:  # it does answer
            circuit.worked()
            raise
        circuit.worked()
        return response

    def refusal(self, model: str) -> str:
        """Return why `model` would not be asked at this moment, nothing if it would."""
        return self._circuit(model).refusal()

    def _circuit(self, model: str) -> Circuit:
        if model not in self._circuits:  # the names are those of manifests, so there are few
            self._circuits.setdefault(model, Circuit(model, self._deadline, self._metrics.circuit))
        return self._circuits[model]
