"""Simulate each fault of the table in the design of experiments: verdicts that once were wrong."""

import time
from collections.abc import Iterable, Iterator

from benchmarks.faults import arms, guardrails, intervals, labels, phases, shown
from benchmarks.faults.rows import WHOLE, Effort, Row

FAULTS = {
    "a": labels.reports_of_errors, "b": arms.never_answers, "c": labels.a_third_arm_chooses, "d": arms.another_default,
    "e": guardrails.cases_together, "f": intervals.small_arms, "g": arms.retrained, "h": arms.one_of_three_is_dead,
    "i": phases.several_phases, "j": shown.figures,
}  # fmt: skip


def simulated(effort: Effort, letters: Iterable[str] = FAULTS) -> Iterator[Row]:
    """Simulate faults; give a row for each simulation as soon as it is done."""
    for letter in letters:
        yield from FAULTS[letter](effort)


def check(effort: Effort = WHOLE, letters: Iterable[str] = FAULTS) -> bool:
    """Print a line a simulation; say if all faults stay within their bounds."""
    good, began = True, time.process_time()
    for row in simulated(effort, letters):
        seconds, began = time.process_time() - began, time.process_time()
        verdict = "ok" if row.ok else "FAIL"
        print(
            f"{row.letter}  {row.what}: {row.seen:.1%}, at most {row.bound:.1%}: {verdict} ({seconds:.1f} s)",
            flush=True,
        )
        good &= row.ok
    return good
