"""Wait for what happens elsewhere."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE = 0.01  # seconds between two looks


def eventually(look: Callable[[], T], what: str = "it to come true", *, seconds: float = 20) -> T:
    """Return what `look` returns as soon as it is true; fail, naming `what` was waited for, after so many seconds."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(PAUSE)
    return found
