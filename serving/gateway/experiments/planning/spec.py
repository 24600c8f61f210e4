"""Specify a plan: what is known, or assumed, of an experiment before it starts."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from serving.gateway.experiments.spec import FEWEST_ARMS, MOST_ARMS, MOST_LABELS, Share
from serving.gateway.manifest import Name

MOST_DAYS, MOST_IMAGES_A_DAY = 3650, 10**10
Images = Annotated[float, Field(ge=0.001, le=MOST_IMAGES_A_DAY, allow_inf_nan=False)]
Days = Annotated[float, Field(ge=0, le=MOST_DAYS, allow_inf_nan=False)]


class PlanSpec(BaseModel):
    """The assumptions of a plan; a pilot fills in what is not given."""

    model_config = ConfigDict(extra="forbid")

    pilot: Name | None = Field(None, description="An experiment whose counts give the rates and the traffic")
    variant: Name | None = Field(None, description="The pilot's arm beside control; needed if it has several")
    paired: bool | None = Field(None, description="The design; that of the pilot, or paired, if not given")
    control_error: Share | None = Field(None, description="Share of images that control gets wrong")
    variant_error: Share | None = Field(None, description="Share of images that the variant gets wrong")
    disagreement: Share | None = Field(None, description="Paired: share of images that the two label differently")
    neither_right: Share | None = Field(
        None, description="Paired: share of images that the two label differently and both get wrong; 0 if not given"
    )
    images_per_unit: int | None = Field(None, ge=1, le=1000, description="Images of one unit; 1 if not given")
    images_per_day: Images | None = Field(
        None, description="Images of the experiment; unpaired, of the two arms; without it, no days are planned"
    )
    label_delay_days: Days | None = Field(
        None, description="Mean days from an image to its label, exponentially distributed; 0 if not given"
    )
    label: Literal["disagreements", "all"] = Field("disagreements", description="Paired: the images to label")
    label_share: float = Field(1.0, ge=1e-6, le=1, allow_inf_nan=False, description="Share of these that get a label")
    weight: float = Field(
        0.5, ge=0.001, le=0.999, allow_inf_nan=False,
        description="Unpaired: the variant's share of the units that it and control serve",
    )  # fmt: skip
    arms: int = Field(2, ge=FEWEST_ARMS, le=MOST_ARMS, description="Arms of the experiment, which share alpha")
    alpha: float = Field(0.05, ge=1e-6, lt=0.5, allow_inf_nan=False)
    margin: float = Field(0.002, gt=0, lt=1, allow_inf_nan=False)
    max_labels: int = Field(200_000, ge=1, le=MOST_LABELS)
    runs: int = Field(500, ge=100, le=1000, description="Experiments to simulate, as time permits")

    @model_validator(mode="after")
    def _has_a_design(self) -> Self:
        if self.paired is None and self.pilot is None:
            self.paired = True
        return self
