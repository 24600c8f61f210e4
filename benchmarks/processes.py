"""Spread work over all cores."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

T = TypeVar("T")


def spread(work: Callable[..., T], *each: Iterable[Any], chunk: int) -> list[T]:
    """Return what `work` makes of each, in processes that take `chunk` at a time; a single chunk takes none.

    They are spawned: a fork of a process whose threads, or whose gRPC channels, are at work may hang.
    """
    given = list(zip(*each, strict=False))  # some of `each` may have no end
    if len(given) <= chunk:
        return [work(*one) for one in given]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, *zip(*given, strict=True), chunksize=chunk))
