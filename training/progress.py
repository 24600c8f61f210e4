"""Keep models/training.json, from which serving shows how far a training run is."""

import contextlib
import datetime
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from training import files
from training.stopping import Stopped
from training.variants import Variant

FILE = "training.json"
WRITE_SECONDS = 1.0  # between two writes that tell of steps alone


def read(models: Path) -> dict[str, Any]:
    """Return the content of the file that the last run in `models` wrote."""
    return json.loads((models / FILE).read_text())


class Progress:
    """The progress of a run, in memory and on disk; any thread may tell of it."""

    def __init__(self, models: Path, variants: Sequence[Variant], steps: Mapping[str, int]) -> None:
        """Begin with variants that each take this many steps, all of them waiting."""
        self._path = models / FILE
        self._lock = threading.Lock()
        self._written = 0.0
        self._variants = {
            v.name: {"name": v.name, "title": v.title, "state": "waiting", "done": 0, "steps": steps[v.name]}
            for v in variants
        }
        self._run: dict[str, Any] = {"schema": 1, "state": "training", "detail": "", "started": now()}
        self._write()

    def move(self, variants: Sequence[Variant], state: str) -> None:
        """Record that variants are in `state`: training or published."""
        with self._lock:
            for variant in variants:
                self._variants[variant.name]["state"] = state
            self._write()

    def step(self, variant: Variant, done: int) -> None:
        """Record how many of a variant's steps are done."""
        with self._lock:
            self._variants[variant.name]["done"] = done
            if time.monotonic() - self._written >= WRITE_SECONDS:
                self._write()

    def end(self, state: str, detail: str = "") -> None:
        """Record how the run ended: finished, stopped or failed."""
        with self._lock:
            self._run |= {"state": state, "detail": detail}
            self._write()

    def _write(self) -> None:
        content = {**self._run, "updated": now(), "variants": list(self._variants.values())}
        files.write(self._path, json.dumps(content, indent=1) + "\n")
        self._written = time.monotonic()


@contextlib.contextmanager
def recorded(models: Path, variants: Sequence[Variant], steps: Mapping[str, int]) -> Iterator[Progress]:
    """Give the Progress of a run, and record how the run ends."""
    progress = Progress(models, variants, steps)
    try:
        yield progress
    except Stopped:
        progress.end("stopped")
        raise
    except Exception as error:
        progress.end("failed", str(error))
        raise
    progress.end("finished")


def now() -> str:
    """Return the time as ISO 8601 has it, UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
