"""Specify an experiment: checked at its creation, frozen at its start."""

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from serving.gateway.experiments.flag_values import FlagValue, check_values
from serving.gateway.experiments.outcomes import Design, Guardrail
from serving.gateway.manifest import Name

FEWEST_ARMS, MOST_ARMS = 2, 6  # each arm doubles the number of masks to count
MOST_LABELS = 100_000_000

NO_NUL = r"^[^\x00]*$"  # PostgreSQL stores none

Text = Annotated[str, Field(max_length=2000, pattern=NO_NUL)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Arm(BaseModel):
    """One variant of an experiment and the share of units it serves."""

    model_config = ConfigDict(extra="forbid")

    variant: Name
    weight: Share
    value: FlagValue | None = None


class GuardrailSpec(BaseModel):
    """A bound on the cost of a variant: its rate may be (1 + `margin`) times that of control."""

    model_config = ConfigDict(extra="forbid")

    metric: Literal["error_rate", "slow"] = Field(description="Failed requests, or requests of over `threshold_ms`")
    margin: float = Field(ge=0, le=100, allow_inf_nan=False)
    threshold_ms: float | None = Field(None, gt=0, le=600_000, description="Milliseconds; required by `slow`")

    @model_validator(mode="after")
    def _has_its_threshold(self) -> Self:
        if (self.metric == "slow") != (self.threshold_ms is not None):
            raise ValueError("the metric 'slow' needs threshold_ms; no other metric takes it")
        return self


class ExperimentSpec(BaseModel):
    """An experiment: its variants, their shares of units, and the rules of its decision."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    hypothesis: Text = ""
    control: Name = Field(description="The arm to compare the others with")
    arms: list[Arm] = Field(min_length=FEWEST_ARMS, max_length=MOST_ARMS)
    traffic: float = Field(1.0, gt=0, le=1, allow_inf_nan=False, description="Share of units in the experiment")
    layer: Name | None = Field(
        None, description="The layer of which the experiment takes `traffic`, and no unit of its other experiments"
    )
    paired: bool = Field(False, description="Also ask the other arms about each image, in the background")
    alpha: float = Field(0.05, gt=0, lt=0.5, allow_inf_nan=False)
    margin: float = Field(
        0.002, gt=0, lt=1, allow_inf_nan=False, description="Largest difference of accuracy that does not matter"
    )
    max_labels: int = Field(200_000, ge=1, le=MOST_LABELS)
    guardrails: list[GuardrailSpec] = Field(default=[], max_length=2)
    on_decision: Literal["notify", "promote"] = "notify"
    min_days: float = Field(
        0.0, ge=0, le=3650, allow_inf_nan=False, description="Days to run before any verdict on accuracy"
    )
    min_units: int = Field(0, ge=0, le=MOST_LABELS, description="Units to expose before any verdict on accuracy")
    maturity_days: float = Field(
        0.0, ge=0, le=3650, allow_inf_nan=False,
        description="Days within which nearly all labels come; the check of label rates leaves younger exposures out",
    )  # fmt: skip
    hold_back: float = Field(
        0.05, ge=0, le=0.5, allow_inf_nan=False,
        description="Share of units that stay on control after the experiment has promoted a variant; 0: none",
    )  # fmt: skip
    on_regression: Literal["notify", "roll_back"] = Field(
        "notify", description="What evidence against the promotion does: propose a rollback, or roll back"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        variants = self.variants
        if len(set(variants)) < len(variants):
            raise ValueError(f"a variant is in two arms: {', '.join(variants)}")
        if self.control not in variants:
            raise ValueError(f"control {self.control!r} is not among the arms {', '.join(variants)}")
        if len({guardrail.metric for guardrail in self.guardrails}) < len(self.guardrails):
            raise ValueError("a metric has two guardrails")
        check_weights([arm.weight for arm in self.arms], self.paired)
        check_values([arm.value for arm in self.arms])
        return self

    @property
    def variants(self) -> list[str]:
        """Return the variants in the order of the arms."""
        return [arm.variant for arm in self.arms]

    @property
    def weights(self) -> list[float]:
        """Return the weights in the order of the arms."""
        return [arm.weight for arm in self.arms]

    @property
    def design(self) -> Design:
        """Return the part that verdicts depend on."""
        return Design(
            self.name, tuple(self.variants), self.variants.index(self.control), self.paired, self.alpha, self.margin,
            self.max_labels, tuple(Guardrail(g.metric, g.margin, g.threshold_ms) for g in self.guardrails),
            self.min_days, self.min_units, self.maturity_days,
        )  # fmt: skip

    @property
    def slow_ms(self) -> float:
        """Return the milliseconds above which a request is slow; infinity without such a guardrail."""
        return next((g.threshold_ms for g in self.guardrails if g.threshold_ms is not None), math.inf)


def check_weights(weights: list[float], paired: bool) -> None:
    """Raise ValueError for weights that do not share out all units."""
    if not math.isclose(sum(weights), 1, abs_tol=1e-6):
        raise ValueError(f"the weights add up to {sum(weights):g} instead of 1")
    if not paired and not all(weights):
        raise ValueError("a weight of 0 needs paired: true; otherwise that arm never answers")


def volunteers(weights: list[float], spec: ExperimentSpec) -> frozenset[int]:
    """Return the arms for whose pair with control labels volunteered by users are evidence.

    Users tend to label wrong answers. Paired, that treats two arms alike only where both are served alike. Unpaired, it
    biases every rate. They never decide an experiment that promotes by itself, since anybody may send them.
    """
    if not spec.paired or spec.on_decision == "promote":
        return frozenset()
    control = weights[spec.variants.index(spec.control)]
    return frozenset(arm for arm, weight in enumerate(weights) if weight == control > 0)
