"""A thread of a worker beside those that answer."""

import threading
from collections.abc import Callable

LAST_SECONDS = 5.0  # to finish what is under way when the worker ends


class Background:
    """A thread that starts when it is first needed, so after any fork, and never keeps its process from ending."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        """Prepare to run `run`, which returns soon after its owner has told it to end."""
        self._name = name
        self._run = run
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def start(self) -> None:
        """Start the thread, if it has not been started."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Wait for its end, LAST_SECONDS at most."""
        if self._thread is not None:
            self._thread.join(LAST_SECONDS)
