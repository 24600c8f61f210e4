"""Counts and latencies in Prometheus' text form, under TF Serving's names."""

import bisect
import itertools
import threading
from collections import defaultdict

# TF Serving's own buckets of latencies: 10 µs, and 1.8 times as much from each to the next.
_LIMITS = [10 * 1.8**power for power in range(33)]
_REQUESTS = ":tensorflow:serving:request_count"
_LATENCY = ":tensorflow:serving:request_latency"


class Metrics:
    """The requests of a server, counted per model."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str], int] = defaultdict(int)
        self._buckets: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0] * (len(_LIMITS) + 1))
        self._sums: dict[tuple[str, str, str], float] = defaultdict(float)

    def record(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """Count one request that ended with `status`; only those that went well have a latency, as in TF Serving."""
        with self._lock:
            self._requests[model, status] += 1
            if status == "OK":
                micros = seconds * 1e6
                self._buckets[model, api, entrypoint][bisect.bisect_left(_LIMITS, micros)] += 1
                self._sums[model, api, entrypoint] += micros

    def render(self) -> str:
        """Return Prometheus' text of all that has been counted."""
        with self._lock:
            lines = [f"# TYPE {_REQUESTS} counter"]
            for (model, status), count in sorted(self._requests.items()):
                lines.append(f'{_REQUESTS}{{model_name="{_escape(model)}",status="{status}"}} {count}')
            lines.append(f"# TYPE {_LATENCY} histogram")
            for (model, api, entrypoint), counts in sorted(self._buckets.items()):
                labels = f'model_name="{_escape(model)}",API="{api}",entrypoint="{entrypoint}"'
                total = list(itertools.accumulate(counts))
                for limit, below in zip([f"{limit:g}" for limit in _LIMITS] + ["+Inf"], total, strict=True):
                    lines.append(f'{_LATENCY}_bucket{{{labels},le="{limit}"}} {below}')
                lines.append(f"{_LATENCY}_sum{{{labels}}} {self._sums[model, api, entrypoint]:.17g}")
                lines.append(f"{_LATENCY}_count{{{labels}}} {total[-1]}")
        return "\n".join(lines) + "\n"


def _escape(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
