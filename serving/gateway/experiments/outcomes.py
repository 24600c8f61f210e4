"""The design of an experiment and its counts; an arm is its index in `arms`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Guardrail:
    """A bound on the cost of a variant: its rate may be up to (1 + `margin`) times that of control.

    `metric` is `error_rate` (failed requests) or `slow` (requests slower than `threshold_ms`).
    """

    metric: Literal["error_rate", "slow"]
    margin: float
    threshold_ms: float | None = None


@dataclass(frozen=True)
class Design:
    """The part of an experiment that is fixed at its start; `control` is an arm."""

    name: str
    arms: tuple[str, ...]
    control: int
    paired: bool
    alpha: float
    margin: float
    max_labels: int
    guardrails: tuple[Guardrail, ...] = ()


@dataclass(frozen=True)
class PhaseCounts:
    """The counts of one phase, a stretch of the experiment with one set of weights; tuples are by arm.

    weights             share of the units assigned to the arm; they sum to 1
    units               units assigned to the arm
    labelled_units      of them, units with a label
    labelled, errors    labelled outcomes of the arm's units (the first of each unit), and its errors among them
    masks               paired: labelled images that every arm answered, by the mask of the right arms (bit i: arm i)
    requests            requests to the arm; paired, its shadow requests too
    failures, slow      of them, the failed ones, and those slower than the guardrail's threshold
    compared            paired: images that every arm answered, labelled or not
    disagreements       of them, those with different classes from different arms
    labelled_disagreements  of them, those with a label
    """

    weights: tuple[float, ...]
    units: tuple[int, ...]
    labelled_units: tuple[int, ...]
    errors: tuple[int, ...]
    labelled: tuple[int, ...]
    masks: Mapping[int, int]
    requests: tuple[int, ...]
    failures: tuple[int, ...]
    slow: tuple[int, ...]
    compared: int = 0
    disagreements: int = 0
    labelled_disagreements: int = 0


@dataclass(frozen=True)
class Latency:
    """Percentiles of an arm's latency, in milliseconds."""

    p50_ms: float
    p99_ms: float
