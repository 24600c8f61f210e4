"""Keep for a moment what takes long to find, so that many who ask at once cost no more than one."""

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from serving.gateway.errors import GatewayError

FRESH_SECONDS = 1.0
FAILED_SECONDS = 0.1  # after which a failure is looked at again: somebody waits for its end

T = TypeVar("T")


class Fresh(Generic[T]):
    """A value that is at most `seconds` old; one thread finds it, and others wait for that."""

    def __init__(
        self, find: Callable[[], T], clock: Callable[[], float] = time.monotonic, seconds: float = FRESH_SECONDS
    ) -> None:
        """Call `find` for the value when somebody asks; of its errors a GatewayError is kept, for FAILED_SECONDS."""
        self._find = find
        self._clock = clock
        self._seconds = seconds
        self._finding = threading.Lock()
        self._until = -math.inf
        self._value: T
        self._error: GatewayError | None = None

    def get(self) -> T:
        """Return the value, or raise the error that was found in its place."""
        with self._finding:
            if self._clock() >= self._until:
                try:
                    self._value, self._error = self._find(), None
                except GatewayError as error:
                    self._error = error
                self._until = self._clock() + (FAILED_SECONDS if self._error else self._seconds)
            if self._error:
                raise self._error.with_traceback(None)
            return self._value
