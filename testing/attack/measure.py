"""Run one part: a steady client undisturbed, then beside the attack, and the workers' memory meanwhile."""

import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

from testing.attack.attackers import Attackers
from testing.attack.gateways import running
from testing.attack.parts import Attack, Part
from testing.attack.seen import Seen
from testing.attack.steady import Figures, Slices, Steady, figures
from testing.attack.watch import MOST_MEMORY, Watch

WARM_UP_SECONDS, UNDISTURBED_SECONDS = 1.5, 8.0  # 400 answers
MOST_RATIO = 3.0  # of the steady client's p99 to its undisturbed one
ENOUGH = 300  # answers without disturbance


@dataclass
class Outcome:
    """The figures of one part; those of the steady client are None where there was none."""

    seen: Seen
    undisturbed: Figures | None = None
    during: Figures | None = None
    peak: int = 0
    lost: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Write down all that was not right."""
        self.faults = [*self.seen.faults, *self.seen.slow]
        if self.undisturbed and self.during:
            self.faults += _steadiness(self.undisturbed, self.during)
        if self.peak > MOST_MEMORY:
            self.faults.append(f"a worker takes {self.peak / 1e6:.0f} MB; at most {MOST_MEMORY / 1e6:.0f} are right")
        if self.lost:
            self.faults.append(f"{self.lost} workers are lost")


def measure(part: Part) -> Outcome:
    """Run a part, its attack on a gateway of its own."""
    outcome = Outcome(Seen())
    try:
        if part.attack:
            _attack(part, part.attack, outcome)
        outcome.seen += part.after()
    except Exception as error:  # the other parts have something to say, too
        outcome.seen.faults.append(f"the attack ended early: {error!r}")
    outcome.judge()
    return outcome


def _attack(part: Part, attack: Attack, outcome: Outcome) -> None:
    with Attackers() as attackers, running(**part.settings) as gateway:
        client = Steady(gateway.port, part.key, part.clients) if part.clients else nullcontext()
        with client as steady, Watch(gateway) as watch:
            if steady:
                _note_load(outcome.seen)
                time.sleep(WARM_UP_SECONDS + UNDISTURBED_SECONDS)
            watch.peak, began = 0, time.monotonic()
            outcome.seen += attack(gateway, attackers, part.seconds)
            outcome.seconds = time.monotonic() - began
            if steady:  # a percentile of few answers would be the slowest one
                time.sleep(max(UNDISTURBED_SECONDS - outcome.seconds, 0))
            slices = steady.finish() if steady else Slices()
            outcome.peak, outcome.lost = watch.peak, watch.lost
    if slices:
        outcome.undisturbed = figures(slices, began - UNDISTURBED_SECONDS, began)
        outcome.during = figures(slices, began, float("inf"))


def _note_load(seen: Seen) -> None:
    """Note that other work takes the processors, which disturbs before and during an attack alike, or not."""
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    if load > processors:
        seen.notes.append(f"the machine is busy, so times mean little: load {load:.1f} on {processors} processors")


def _steadiness(undisturbed: Figures, during: Figures) -> Iterator[str]:
    if undisturbed.answers < ENOUGH:
        yield f"only {undisturbed.answers} answers came to the steady client without disturbance"
    if during.p99_ms > MOST_RATIO * undisturbed.p99_ms:
        ratio = during.p99_ms / undisturbed.p99_ms
        yield f"the steady client's p99 is {during.p99_ms:.0f} ms, {ratio:.1f}× that without disturbance"
    if during.errors:
        yield f"the steady client gets errors: {dict(during.errors)}"
