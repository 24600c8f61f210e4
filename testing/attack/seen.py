"""The outcome of an attack."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Seen:
    """Answers by status, 0 where a connection ended without one, and all that was not right."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)  # faults of time, which a busy machine has too
    notes: list[str] = field(default_factory=list)

    def expect(self, right: bool, fault: str) -> None:
        """Note a fault unless things are right."""
        if not right:
            self.faults.append(fault)

    def expect_status(self, status: int, allowed: Iterable[int], request: str) -> None:
        """Count a status; note a fault unless it is one of those allowed."""
        self.statuses[status] += 1
        wanted = sorted(allowed)
        self.expect(status in wanted, f"{request}: {status}, not {' or '.join(map(str, wanted))}")

    def __iadd__(self, other: "Seen") -> "Seen":
        """Add the outcome of another attack."""
        self.statuses += other.statuses
        self.faults += other.faults
        self.slow += other.slow
        self.notes += other.notes
        return self
