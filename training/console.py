"""What the training job tells whoever watches: a line a report, a progress bar on a terminal, a closing table."""

import itertools
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from training.population import Report
from training.variants import VARIANTS, Variant


class Console:
    """Reports of a run on standard output; the progress bar, on standard error, only where that is a terminal."""

    def __init__(self, steps: Mapping[str, Sequence[int]]) -> None:
        """Expect a report of each of these variants after each of these steps, which ascend."""
        self._since_last = {
            name: {step: step - last for last, step in itertools.pairwise((-1, *after))}
            for name, after in steps.items()
        }
        self._total = sum(after[-1] + 1 for after in steps.values())
        self._width = max(map(len, steps))
        self._lock = threading.Lock()

    def __enter__(self) -> "Console":
        self._bar = tqdm(total=self._total, unit="step", disable=not sys.stderr.isatty(), dynamic_ncols=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def report(self, variant: Variant, report: Report) -> None:
        """Print how a variant stands; called from the members' threads."""
        line = (
            f"{variant.name:{self._width}}  {report.step} loss: {report.loss:.6f} Evaluate Acc: {report.accuracy:.4f}"
        )
        with self._lock:
            tqdm.write(line)
            sys.stdout.flush()
            self._bar.update(self._since_last[variant.name][report.step])

    def table(self, entries: Sequence[dict[str, Any]]) -> None:
        """Print the published variants beside what the blog post's one run of each gave."""
        published = {v.name: v.published_accuracy for v in VARIANTS}
        print(f"\n{'variant':{self._width}}  version  test accuracy  the post's  cross-entropy  calibration error")
        for entry in entries:
            theirs = f"{accuracy:.4f}" if (accuracy := published.get(entry["name"])) else "–"
            test = entry["test"]
            print(
                f"{entry['name']:{self._width}}  {entry['version']:7}  {test['accuracy']:13.4f}  {theirs:>10}"
                f"  {test['loss']:13.4f}  {test['ece']:17.4f}"
            )
