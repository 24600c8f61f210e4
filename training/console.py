"""Show a run on the terminal: a line a report, a progress bar, a closing table."""

import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from training.population import Report
from training.variants import VARIANTS, Variant


class Console:
    """Print reports to standard output, and a progress bar to standard error where that is a terminal."""

    def __init__(self, steps: Mapping[str, int], show_bar: bool = True) -> None:
        """Expect variants that take this many steps each."""
        self._steps = steps
        self._done = dict.fromkeys(steps, 0)
        self._width = max(map(len, steps))
        self._hide_bar = not (show_bar and sys.stderr.isatty())
        self._lock = threading.Lock()

    def __enter__(self) -> "Console":
        total = sum(self._steps.values())
        self._bar = tqdm(total=total, unit="step", disable=self._hide_bar, dynamic_ncols=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def report(self, variant: Variant, report: Report) -> None:
        """Print how a variant stands; any thread may call it."""
        line = (
            f"{variant.name:{self._width}}  {report.step} loss: {report.loss:.6f} Evaluate Acc: {report.accuracy:.4f}"
        )
        with self._lock:
            tqdm.write(line)
            sys.stdout.flush()

    def step(self, variant: Variant, done: int) -> None:
        """Advance the bar to a variant's steps done so far; any thread may call it."""
        with self._lock:
            self._bar.update(done - self._done[variant.name])
            self._done[variant.name] = done

    def table(self, entries: Sequence[dict[str, Any]]) -> None:
        """Print the published variants beside the blog post's figures, one run of each."""
        published = {v.name: v.published_accuracy for v in VARIANTS}
        print(f"\n{'variant':{self._width}}  version  test accuracy  the post's  cross-entropy  calibration error")
        for entry in entries:
            theirs = f"{accuracy:.4f}" if (accuracy := published.get(entry["name"])) else "–"
            test = entry["test"]
            print(
                f"{entry['name']:{self._width}}  {entry['version']:7}  {test['accuracy']:13.4f}  {theirs:>10}"
                f"  {test['loss']:13.4f}  {test['ece']:17.4f}"
            )
