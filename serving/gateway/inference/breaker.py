"""A circuit breaker a variant: after several failures in a row it is not asked for a moment.

Then one call is let through, and its outcome decides whether the others may go on.
"""

import logging
import threading
import time
from collections.abc import Callable

from serving.gateway.errors import BadGateway, DeadlineExceeded, GatewayError, NotLoaded, Unavailable
from serving.gateway.inference.tf_serving.client import Answer, Metadata, ModelServer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

FAILURES = 3  # of calls, one after the other
MOMENT_SECONDS = 0.25  # a server that is back is noticed after this
REST_SECONDS = 300.0  # without a call: an alarm about calls that are held back is over then


class Circuit:
    """Whether one variant may be asked: all calls pass while it is closed, one now and then while it is open.

    The event loop's thread changes it, and whatever thread lets it rest.
    """

    def __init__(self, variant: str, trial_seconds: float, changed: Callable[[str, str], None]) -> None:
        """Begin closed; a trial call may take `trial_seconds` before the next one is let through."""
        self._variant = variant
        self._trial_seconds = trial_seconds
        self._changed = changed
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None  # on the monotonic clock; None while closed
        self._reason = ""
        self._kind: type[Unavailable] = Unavailable

    def refusal(self) -> str:
        """Return why a call would be refused at this moment, an empty text if it would not."""
        until = self._open_until
        return self._reason if until is not None and time.monotonic() < until else ""

    def enter(self) -> None:
        """Let a call pass, or raise Unavailable, which says that there was no call."""
        with self._lock:
            if self._open_until is None:
                return
            now = time.monotonic()
            if now < self._open_until:
                refused = self._kind(self._reason)
                refused.called = False
                raise refused
            self._open_until = now + self._trial_seconds
            self._changed(self._variant, "half_open")

    def worked(self) -> None:
        """Note that a call was answered."""
        with self._lock:
            was_open, self._open_until, self._failures = self._open_until is not None, None, 0
            if was_open:
                logger.warning("variant %r answers again", self._variant)
                self._changed(self._variant, "closed")

    def rest(self) -> None:
        """Close where nobody has asked for REST_SECONDS, such as a withdrawn variant's; one failure opens it again."""
        with self._lock:
            if self._open_until is not None and time.monotonic() > self._open_until + REST_SECONDS:
                self._open_until, self._failures = None, FAILURES - 1
                self._changed(self._variant, "closed")

    def failed(self, error: GatewayError) -> None:
        """Note that a call ended in `error`."""
        detail = error.detail
        with self._lock:
            self._failures += 1
            if self._failures < FAILURES:
                return
            if self._open_until is None:
                logger.warning("variant %r failed %d times in a row: %s", self._variant, FAILURES, detail)
            self._kind = NotLoaded if isinstance(error, NotLoaded) else Unavailable
            self._reason = f"Variant {self._variant!r} has just failed and is not asked for a moment: {detail}"
            self._open_until = time.monotonic() + MOMENT_SECONDS
            self._changed(self._variant, "open")


class GuardedModelServer(ModelServer):
    """A client of one model server that leaves a failing variant alone for a moment."""

    def __init__(self, address: str, deadline: float, metrics: Metrics) -> None:
        """Prepare for the server at `address`; no call lasts longer than `deadline` seconds."""
        super().__init__(address, deadline, metrics.model_server_call)
        self._trial_seconds = deadline
        self._metrics = metrics
        self._circuits: dict[str, Circuit] = {}

    async def predict(
        self, model: str, signature: str, images: Images, samples: int | None, timeout: float, metadata: Metadata = ()
    ) -> Answer:
        """Ask as the client does; raise Unavailable at once while the circuit of `model` is open."""
        circuit = self._circuit(model)
        try:
            circuit.enter()
        except Unavailable:
            self._metrics.refused("circuit")
            raise
        try:
            answer = await super().predict(model, signature, images, samples, timeout, metadata)
        except Unavailable as error:
            circuit.failed(error)
            raise
        except DeadlineExceeded as error:
            if timeout > self._trial_seconds / 2:  # with less, the time was lost before the call
                circuit.failed(error)
            raise
        except BadGateway:  # the server does answer
            circuit.worked()
            raise
        circuit.worked()
        return answer

    def refusal(self, model: str) -> str:
        """Return why `model` would not be asked at this moment, an empty text if it would."""
        return self._circuit(model).refusal()

    def rest(self) -> None:
        """Let the circuits of variants that nobody asks close again."""
        for circuit in list(self._circuits.values()):
            circuit.rest()

    def _circuit(self, model: str) -> Circuit:
        if model not in self._circuits:  # the names are those of manifests, so there are few
            self._circuits.setdefault(model, Circuit(model, self._trial_seconds, self._metrics.circuit))
        return self._circuits[model]
