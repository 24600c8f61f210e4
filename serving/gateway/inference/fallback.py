"""Ask variants in turn until one answers: the fallback for a variant that the client did not choose."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from serving.gateway.errors import GatewayError, NotLoaded
from serving.gateway.inference.batching import ModelCall
from serving.gateway.inference.tf_serving.client import Answer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import Manifest


class Fallback(NamedTuple):
    """The variant in whose place another answered, and why it did not answer itself."""

    instead_of: str
    reason: str


class Attempt(NamedTuple):
    """One variant's turn: how long it took, its answer or error, and the call to the model server, None without one."""

    variant: str
    milliseconds: float
    outcome: Answer | GatewayError
    call: ModelCall | None = None


@dataclass(slots=True, eq=False)
class PendingPrediction:
    """The images of one request, the variants that may answer in their order, and how their turns went."""

    manifest: Manifest
    images: Images
    candidates: Sequence[str]
    signature: str
    samples: int | None
    until: float  # on the monotonic clock
    span: Any  # the request's, as `Tracing` has it
    last_resort: str | None = None  # asked only where the last candidate is not loaded yet
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def turn(self) -> str | None:
        """Return the variant whose turn it is, None where none is left."""
        done = len(self.attempts)
        if done < len(self.candidates):
            return self.candidates[done]
        if done == len(self.candidates) and isinstance(self.attempts[-1].outcome, NotLoaded):
            return self.last_resort
        return None

    @property
    def answer(self) -> Answer:
        """Return the answer; raise the first error where no variant gave one."""
        outcome = self.attempts[-1].outcome
        if isinstance(outcome, Answer):
            return outcome
        first = self.attempts[0].outcome
        assert isinstance(first, GatewayError)
        raise first

    @property
    def fallback(self) -> Fallback | None:
        """Return whose answer is missing where another variant stood in."""
        first = self.attempts[0]
        if len(self.attempts) > 1 and isinstance(first.outcome, GatewayError):
            return Fallback(first.variant, first.outcome.detail)
        return None
