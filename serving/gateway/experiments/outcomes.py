"""What an experiment has counted, and the facts by which it is judged; arms are numbered in the order of `arms`."""

from collections.abc import Mapping
from dataclasses import dataclass

METRICS = ("error_rate", "slow")


@dataclass(frozen=True)
class Guardrail:
    """A bound on what a variant may cost.

    `metric` is `error_rate` (requests that failed) or `slow` (requests slower than `threshold_ms`). The variant's rate
    may be up to (1 + `margin`) times that of control.
    """

    metric: str
    margin: float
    threshold_ms: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a metric that is not counted, and for `slow` without its threshold."""
        if self.metric not in METRICS:
            raise ValueError(f"There is no guardrail metric {self.metric!r}; there are {' and '.join(METRICS)}.")
        if self.metric == "slow" and self.threshold_ms is None:
            raise ValueError("The guardrail slow needs threshold_ms: how many milliseconds a request may take.")


@dataclass(frozen=True)
class Facts:
    """What was fixed when the experiment started; `control` is the index of its arm."""

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
    """The counts of one phase: a stretch of the experiment with one set of weights. Tuples are indexed by arm.

    weights             share of the units assigned to the arm; they sum to 1
    units               units assigned to the arm
    labelled_units      of them, units with a label
    labelled, errors    labelled outcomes of the arm's units (the first of each unit), and those it had wrong
    masks               paired mode: labelled images that every arm answered, by the bit mask of the arms that were
                        right (bit i: arm i)
    requests            requests that the arm was asked to answer; paired, its shadow requests too
    failures, slow      of them, those that failed, and those slower than the guardrail's threshold
    compared            paired mode: images that every arm answered, labelled or not
    disagreements       of them, those on which the arms named different classes
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
    """How long an arm took to answer, in milliseconds."""

    p50_ms: float
    p99_ms: float
