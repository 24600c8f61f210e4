"""Run a background thread in a worker."""

import threading
from collections.abc import Callable

LAST_SECONDS = 5.0  # to finish the work under way when the worker ends


class Background:
    """A daemon thread that starts at its first use, hence after any fork."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        """Prepare to run `run`, which returns soon after its owner tells it to end."""
        self._name = name
        self._run = run
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def start(self) -> None:
        """Start the thread, once."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Wait for its end, LAST_SECONDS at most."""
        if self._thread is not None:
            self._thread.join(LAST_SECONDS)
