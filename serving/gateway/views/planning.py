"""POST /experiments/plan: how long an experiment will take."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, Field

from serving.gateway import errors
from serving.gateway.access.roles import security
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.web.answers import send
from serving.gateway.web.context import gateway
from serving.gateway.web.json_body import documented, read_json, schemas
from serving.gateway.web.problems import problems


class PlanRates(BaseModel):
    """The rates that were planned with, as given or as the pilot has them; null where unknown."""

    control_error: float | None
    variant_error: float | None
    difference: float = Field(description="Accuracy of the variant less that of control")
    disagreement: float | None = Field(description="Share of images that the two label differently; null if unpaired")
    only_variant_right: float | None
    only_control_right: float | None


class Verdicts(BaseModel):
    """Shares of the simulated experiments by verdict."""

    ship: float
    roll_back: float
    equivalent: float
    inconclusive: float


class Quantiles(BaseModel):
    """The median over the simulated experiments, and the 80 % quantile; null where fewer of them decide."""

    median: float | None
    median_low: float | None = Field(description="Lower end of the median's 95 % interval; more runs narrow it")
    median_high: float | None = Field(description="Its upper end")
    p80: float | None


class PlanAnswer(BaseModel):
    """The images, labels and days to a decision: `ship`, `roll_back` or `equivalent`."""

    design: str = Field(description="paired or unpaired")
    runs: int = Field(description="Simulated experiments: fewer than asked for where these take over a second")
    rates: PlanRates
    images_per_unit: int
    images_per_day: float | None
    label_delay_days: float
    verdicts: Verdicts
    images: Quantiles
    labels: Quantiles
    days: Quantiles = Field(description="Null without images_per_day")
    max_labels: int
    power: float
    smallest_difference: float | None = Field(
        description="The smallest difference that ships with probability `power` by max_labels; null if none does"
    )
    missed_difference: float | None = Field(
        description="The largest smaller difference that was tried and does not: the true bound lies between the two"
    )


blueprint = APIBlueprint("planning", __name__, abp_tags=[Tag(name="experiments")])
blueprint.components_schemas.update(schemas(PlanSpec))


@blueprint.post(
    "/experiments/plan", operation_id="plan_experiment", security=security("planning.plan"),
    request_body=documented(PlanSpec), responses={200: PlanAnswer, **problems(
        errors.BadRequest, errors.Unauthorized, errors.Forbidden, errors.NotFound, errors.TooLarge,
        errors.UnsupportedMediaType, errors.Unprocessable, errors.TooManyRequests, errors.Unavailable,
    )},
)  # fmt: skip
def plan() -> Response:
    """Plan an experiment by simulating the test that judges it; a worker simulates one plan at a time."""
    return send(gateway().experiments.planner.plan(read_json(PlanSpec)))
