"""Record feedback: the true class of a prediction's image."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from sqlalchemy import Connection

from serving.gateway.experiments.prediction_id import PredictionRef, read
from serving.gateway.experiments.spec import user_labels_decide
from serving.gateway.store import experiments, exposures, labels
from serving.gateway.store.labels import Label

USER = "user"


class Feedback(NamedTuple):
    """The label of one prediction; `source` is `user`, `audit` or `ground_truth`."""

    prediction_id: str
    label: str
    source: str


class FeedbackOutcome(Enum):
    """The outcomes of one piece of feedback."""

    STORED = "stored"
    STORED_BEFORE = "stored before"
    UNKNOWN_PREDICTION = "unknown prediction"
    UNKNOWN_CLASS = "unknown class"
    OTHER_LABEL = "other label"
    ARCHIVED = "archived experiment"


class FeedbackResult(NamedTuple):
    """The outcome of one piece of feedback, and why."""

    outcome: FeedbackOutcome
    detail: str


def record(
    connection: Connection, secret: bytes, classes: Sequence[str], given: Sequence[Feedback]
) -> list[FeedbackResult]:
    """Store and count the first label of each prediction; return a result for each piece of feedback."""
    references = [read(secret, item.prediction_id) for item in given]
    ids = {reference.exposed.experiment for reference in references if reference and reference.exposed}
    status = exposures.lock(connection, ids) if ids else {}
    decide = _user_labels_decide(connection, ids) if ids else {}
    refused = [_refusal(item, reference, classes, status) for item, reference in zip(given, references, strict=True)]
    first: dict[str, Label] = {}
    for item, reference, refusal in zip(given, references, refused, strict=True):
        if reference and not refusal:
            first.setdefault(reference.key, _label(item, reference, decide))
    stored = labels.write(connection, list(first.values()))
    results = []
    for item, reference, refusal in zip(given, references, refused, strict=True):
        if refusal or reference is None:
            results.append(refusal or _unknown(item))
        elif reference.key in stored:
            results.append(_again(item, stored[reference.key]))
        else:
            stored[reference.key] = item.label
            results.append(FeedbackResult(FeedbackOutcome.STORED, f"The label {item.label!r} is stored."))
    return results


def _refusal(
    item: Feedback, reference: PredictionRef | None, classes: Sequence[str], status: Mapping[int, str]
) -> FeedbackResult | None:
    if reference is None or (reference.exposed and reference.exposed.experiment not in status):
        return _unknown(item)
    if item.label not in classes:
        detail = f"There is no class {item.label[:200]!r}; there are {', '.join(classes)}."
        return FeedbackResult(FeedbackOutcome.UNKNOWN_CLASS, detail)
    if reference.exposed and status[reference.exposed.experiment] == "archived":
        detail = "The experiment of this prediction is archived and takes no more labels."
        return FeedbackResult(FeedbackOutcome.ARCHIVED, detail)
    return None


def _unknown(item: Feedback) -> FeedbackResult:
    detail = f"There is no prediction {item.prediction_id[:200]!r}; /predict answers with ids."
    return FeedbackResult(FeedbackOutcome.UNKNOWN_PREDICTION, detail)


def _again(item: Feedback, stored: str) -> FeedbackResult:
    if item.label == stored:
        return FeedbackResult(FeedbackOutcome.STORED_BEFORE, f"The label {stored!r} was stored before.")
    return FeedbackResult(
        FeedbackOutcome.OTHER_LABEL, f"This prediction has the label {stored!r}; the first one stays."
    )


def _label(item: Feedback, reference: PredictionRef, decide: Mapping[tuple[int, int], bool]) -> Label:
    exposed = reference.exposed
    known = reference.key, item.label, item.source, reference.label
    if exposed is None:
        return Label(*known, reference.variant, reference.version)
    decisive = item.source != USER or decide[exposed.experiment, exposed.phase]
    return Label(
        *known, reference.variant, reference.version, exposed.experiment, exposed.phase, exposed.assigned,
        exposed.unit, decisive,
    )  # fmt: skip


def _user_labels_decide(connection: Connection, ids: set[int]) -> dict[tuple[int, int], bool]:
    """Return by experiment and phase whether labels of users are evidence."""
    return {
        (row.experiment_id, row.number): user_labels_decide(row.weights, row.spec["paired"])
        for row in experiments.phases_with_specs(connection, ids)
    }
