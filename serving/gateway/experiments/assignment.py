"""Assign units to arms by hashing alone, so that all workers agree without asking the store."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

PARTS = 1_000_000  # of a layer


class Assignment(NamedTuple):
    """The arm of a unit, that arm's probability, and the unit's 64-bit name in the experiment."""

    arm: int
    propensity: float
    unit: int


@dataclass(frozen=True)
class Split:
    """The division of units in one phase of an experiment.

    Two salts draw a unit's part in the experiment and its arm. One salt for both would make the arm depend on the draw
    for the traffic. All phases of an experiment share the salt for the traffic, so a unit keeps its part and its name.
    In a layer, the layer's salt draws one of PARTS parts for a unit; the experiment has those of `segments`.
    """

    traffic: float
    weights: Sequence[float]
    traffic_salt: str
    arm_salt: str
    layer_salt: str | None = None
    segments: Sequence[Sequence[int]] = ()  # starts and ends, which are outside

    def assign(self, unit: str) -> Assignment | None:
        """Return the assignment of `unit`, None if it is not in the experiment."""
        named = _digest(self.traffic_salt, unit)
        if not self._includes(unit, named):
            return None
        share, reached, arm = _draw(_digest(self.arm_salt, unit)), 0.0, 0
        for number, weight in enumerate(self.weights):
            if weight:
                arm = number  # the last one takes the rest of rounding
                reached += weight
                if share < reached:
                    break
        return Assignment(arm, self.weights[arm], _name(named))

    def _includes(self, unit: str, named: bytes) -> bool:
        if self.layer_salt is None:
            return _draw(named) < self.traffic
        part = int(_draw(_digest(self.layer_salt, unit)) * PARTS)
        return any(start <= part < end for start, end in self.segments)


def unit_name(traffic_salt: str, unit: str) -> int:
    """Return the 64-bit name that a unit has in the experiment with this salt."""
    return _name(_digest(traffic_salt, unit))


def _name(digest: bytes) -> int:
    return int.from_bytes(digest[8:16], signed=True)


def _digest(salt: str, unit: str) -> bytes:
    return hashlib.sha256(f"{salt}:{unit}".encode()).digest()


def _draw(digest: bytes) -> float:
    """Return a number in [0, 1)."""
    return (int.from_bytes(digest[:8]) >> 11) / 2**53
