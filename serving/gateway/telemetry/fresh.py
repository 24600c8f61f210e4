"""Keep for a moment what takes long to find, so that many who ask at once cost no more than one."""

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

FRESH_SECONDS = 1.0

T = TypeVar("T")


class Fresh(Generic[T]):
    """A value that is at most `seconds` old; one thread finds it, and others wait for that."""

    def __init__(
        self, find: Callable[[], T], clock: Callable[[], float] = time.monotonic, seconds: float = FRESH_SECONDS
    ) -> None:
        """Call `find` for the value when somebody asks; its errors are not kept."""
        self._find = find
        self._clock = clock
        self._seconds = seconds
        self._finding = threading.Lock()
        self._until = -math.inf
        self._value: T

    def get(self) -> T:
        """Return the value."""
        with self._finding:
            if self._clock() >= self._until:
                self._value = self._find()
                self._until = self._clock() + self._seconds
            return self._value
