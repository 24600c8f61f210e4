"""Log and count answered requests: at once, or many at a time where an event loop flushes them."""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from serving.gateway.telemetry.metrics import Metrics

access = logging.getLogger("access")

FLUSH_SECONDS = 0.05
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
LONGEST = 512  # characters in the log of a text that the client chose


class Answered(NamedTuple):
    """One answered request; `route` is the pattern of its path."""

    id: str
    client: str
    method: str
    path: str
    route: str
    status: int
    seconds: float
    bytes_in: str
    bytes_out: str
    agent: str
    traceparent: str
    trace_id: str
    variant: str
    version: str
    images: int
    problem: str
    key: str  # the id of the caller's key or token, empty without one
    at: float  # seconds since 1970


class Journal:
    """Hands answered requests on to the access log and to the metrics."""

    def __init__(self, metrics: Metrics, logs_access: bool, sample: Callable[[], None]) -> None:
        """Prepare to record; `sample` brings the gauges up to date and is called at each flush."""
        self._metrics = metrics
        self._logs_access = logs_access
        self._sample = sample
        self._entries: deque[Answered] = deque()
        self._flushes_later = False

    def add(self, entry: Answered) -> None:
        """Record a request; callable from any thread."""
        self._entries.append(entry)
        if not self._flushes_later:
            self.flush()

    def flush(self) -> None:
        """Write and count the requests that wait."""
        entries: list[Answered] = []
        with suppress(IndexError):  # another thread may flush, too
            while True:
                entries.append(self._entries.popleft())
        self._metrics.answered(
            [(each.route, each.variant, each.version, each.status, each.seconds, each.images) for each in entries]
        )
        if entries and self._logs_access:
            access.info([_line(entry) for entry in entries])
        self._sample()

    async def run(self) -> None:
        """Flush every FLUSH_SECONDS until cancelled."""
        self._flushes_later = True
        try:
            while True:
                await asyncio.sleep(FLUSH_SECONDS)
                self.flush()
        finally:
            self._flushes_later = False
            self.flush()


def _line(entry: Answered) -> dict[str, Any]:
    line = {
        "time": datetime.fromtimestamp(entry.at, UTC),
        "level": "INFO",
        "logger": "access",
        "request_id": entry.id,
        "client": entry.client,
        "key": entry.key,
        "method": entry.method,
        "path": entry.path[:LONGEST],
        "status": entry.status,
        "ms": round(1000 * entry.seconds, 2),
        "bytes_in": entry.bytes_in,
        "bytes_out": entry.bytes_out,
        "agent": entry.agent[:LONGEST],
        "variant": entry.variant,
        "version": entry.version,
        "images": entry.images,
    }
    if entry.trace_id:
        line["trace_id"] = entry.trace_id
    elif caller := TRACEPARENT.fullmatch(entry.traceparent):
        line["trace_id"] = caller[1]
    if entry.problem:
        line["problem"] = entry.problem[:LONGEST]
    return line
