"""Types of the gateway's JSON; a test compares them with the schemas of the same names in `docs/openapi.json`.

New fields may join, so a type lists fields to rely on. `object` and `Any` stand for free forms.
"""

from typing import Any, Literal, NotRequired, TypedDict

Source = Literal["user", "audit", "ground_truth"]
Action = Literal["start", "pause", "resume", "stop", "archive"]


class BoxModel(TypedDict):
    """A digit's box, in pixels of the upright picture."""

    x: int
    y: int
    width: int
    height: int


class FallbackModel(TypedDict):
    """The variant that should have answered, and why another did."""

    instead_of: str
    reason: str


class ImagePrediction(TypedDict):
    """The answer for one image; `entropy` and `mutual_information` are in nats."""

    id: str
    label: str
    confidence: float
    familiarity: float | None
    probabilities: list[float]
    image: NotRequired[int | None]
    box: NotRequired[BoxModel | None]
    entropy: NotRequired[float | None]
    mutual_information: NotRequired[float | None]


class PredictAnswer(TypedDict):
    """The answer to one request for predictions."""

    request_id: str
    variant: str
    version: int
    experiment: str | None
    fallback: FallbackModel | None
    predictions: list[ImagePrediction]


class VariantPrediction(TypedDict):
    """One variant's answer for one image."""

    variant: str
    version: int
    label: str
    confidence: float
    familiarity: float | None
    probabilities: list[float]
    milliseconds: float


class ComparedImage(TypedDict):
    """All variants' answers for one image; `seen` is a PNG data URL of the pixels."""

    seen: str
    agree: bool
    variants: list[VariantPrediction]
    image: NotRequired[int | None]
    box: NotRequired[BoxModel | None]


class CompareAnswer(TypedDict):
    """The answer to one request for comparisons."""

    request_id: str
    results: list[ComparedImage]


class FeedbackItem(TypedDict):
    """A label to send for one prediction."""

    prediction_id: str
    label: str
    source: NotRequired[Source]


class FeedbackAnswer(TypedDict):
    """The fate of one label, as an HTTP status and a sentence."""

    prediction_id: str
    status: int
    detail: str
    kept: NotRequired[Source | None]


class LiveState(TypedDict):
    """A variant's state on the model server."""

    state: str
    version: int | None
    detail: str


class LiveVariant(TypedDict):
    """A published variant."""

    name: str
    title: str
    version: int
    parameters: int
    regularisation: dict[str, Any]
    training: dict[str, Any]
    test: dict[str, Any]
    history: list[dict[str, Any]]
    signatures: list[str]
    live: LiveState


class VariantsAnswer(TypedDict):
    """All published variants."""

    default: str
    classes: list[str]
    variants: list[LiveVariant]


class Arm(TypedDict):
    """An arm of an experiment."""

    variant: str
    weight: float


class ExperimentSpec(TypedDict):
    """An experiment to make; docs/experiments.md explains the fields."""

    name: str
    control: str
    arms: list[Arm]
    hypothesis: NotRequired[str]
    traffic: NotRequired[float]
    layer: NotRequired[str | None]
    paired: NotRequired[bool]
    alpha: NotRequired[float]
    margin: NotRequired[float]
    max_labels: NotRequired[int]
    guardrails: NotRequired[list[dict[str, Any]]]
    on_decision: NotRequired[Literal["notify", "promote"]]
    min_days: NotRequired[float]
    min_units: NotRequired[int]
    maturity_days: NotRequired[float]
    hold_back: NotRequired[float]
    on_regression: NotRequired[Literal["notify", "roll_back"]]


class ExperimentAnswer(TypedDict):
    """An experiment as it stands."""

    name: str
    control: str
    arms: list[Arm]
    status: str
    phase: int
    created_at: str
    started_at: str | None
    stopped_at: str | None
    reason: str | None
    decision: dict[str, Any] | None
    verdict: dict[str, Any] | None
    paired: NotRequired[bool]
    hypothesis: NotRequired[str]


class ReportAnswer(TypedDict):
    """An experiment's evidence, health and recommendation."""

    experiment: str
    phase: int
    status: str
    as_of: str
    design: str
    checks: dict[str, dict[str, Any]]
    counts: dict[str, int]
    arms: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]
    notes: list[str]
    labels: dict[str, int]
    verdict: dict[str, Any] | None
    decision: dict[str, Any]


class LearningAnswer(TypedDict):
    """The images kept to learn from."""

    most: int
    waiting: int
    labelled: int
    units: int
    labels: dict[str, int]
    sources: dict[str, int]
