"""Processes that attack, at the lowest priority: a real attacker does not use the server's processor."""

import importlib
import multiprocessing
import os
import resource
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

T = TypeVar("T")

PROCESSES = 2
LOWEST = 19
PATIENCE = 120  # seconds that an attack may take longer than it should
WORK = ("unread", "structure", "buffers", "connections", "decoding", "reading")  # modules that they will need


class Attackers:
    """A few processes that are ready to run functions; a `with` ends them."""

    def __init__(self, niceness: int = LOWEST) -> None:
        """Start them; they import all they need before an attack is measured."""
        self._pool = multiprocessing.get_context("spawn").Pool(PROCESSES, _prepare, (niceness,))

    def run(self, work: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> list[T]:
        """Return the results of `work` with each of `arguments`, which they share out."""
        return self._pool.starmap_async(work, arguments, chunksize=1).get(PATIENCE)

    def start(self, work: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> Callable[[], list[T]]:
        """Begin as `run` does; return a function that waits for the results."""
        begun = self._pool.starmap_async(work, arguments, chunksize=1)
        return lambda: begun.get(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.terminate()
        self._pool.join()


def _prepare(niceness: int) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for name in WORK:
        importlib.import_module(f"testing.attack.{name}")
    os.nice(niceness)
