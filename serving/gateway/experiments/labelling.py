"""Take feedback: what a prediction's image really shows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from serving.gateway.experiments.prediction_id import Exposed, PredictionRef, read
from serving.gateway.experiments.spec import user_labels_decide
from serving.gateway.store import exposures, labels
from serving.gateway.store.labels import Label
from serving.gateway.store.tables import experiments, phases

CREATED, AGREED, UNKNOWN, CONFLICT, UNPROCESSABLE = 201, 200, 404, 409, 422
USER = "user"


class Given(NamedTuple):
    """One piece of feedback; `source` is `user`, `audit` or `ground_truth`."""

    prediction_id: str
    label: str
    source: str


class Taken(NamedTuple):
    """What became of it, as an HTTP status, and why."""

    status: int
    detail: str


def take(connection: Connection, secret: bytes, classes: Sequence[str], given: Sequence[Given]) -> list[Taken]:
    """Store each label that is the first of its prediction, count it, and return what became of each."""
    references = [read(secret, item.prediction_id) for item in given]
    exposed = [reference.exposed for reference in references if reference and reference.exposed]
    status = exposures.lock(connection, {each.experiment for each in exposed}) if exposed else {}
    decide = _user_labels(connection, {each.experiment for each in exposed}) if exposed else {}
    refused = [_refused(item, reference, classes, status) for item, reference in zip(given, references, strict=True)]
    first: dict[str, Label] = {}
    for item, reference, refusal in zip(given, references, refused, strict=True):
        if reference and not refusal:
            first.setdefault(reference.key, _label(item, reference, decide))
    stored = labels.write(connection, list(first.values()))
    taken = []
    for item, reference, refusal in zip(given, references, refused, strict=True):
        if refusal or reference is None:
            taken.append(refusal or Taken(UNKNOWN, ""))
        elif reference.key in stored:
            taken.append(_again(item, stored[reference.key]))
        else:
            stored[reference.key] = first[reference.key].label
            taken.append(Taken(CREATED, f"The label {item.label!r} is stored."))
    return taken


def _refused(
    item: Given, reference: PredictionRef | None, classes: Sequence[str], status: Mapping[int, str]
) -> Taken | None:
    if reference is None or (reference.exposed and reference.exposed.experiment not in status):
        return Taken(UNKNOWN, f"There is no prediction {item.prediction_id[:200]!r}; /predict answers with ids.")
    if item.label not in classes:
        return Taken(UNPROCESSABLE, f"There is no class {item.label[:200]!r}; there are {', '.join(classes)}.")
    if reference.exposed and status[reference.exposed.experiment] == "archived":
        return Taken(CONFLICT, "The experiment of this prediction is archived and takes no more labels.")
    return None


def _again(item: Given, stored: str) -> Taken:
    if item.label == stored:
        return Taken(AGREED, f"The label {stored!r} was stored before.")
    return Taken(CONFLICT, f"This prediction has the label {stored!r}; the first one stays.")


def _label(item: Given, reference: PredictionRef, decide: Mapping[tuple[int, int], bool]) -> Label:
    exposed: Exposed | None = reference.exposed
    known = reference.key, item.label, item.source, reference.label
    if exposed is None:
        return Label(*known, reference.variant, reference.version)
    decisive = item.source != USER or decide[exposed.experiment, exposed.phase]
    return Label(
        *known, reference.variant, reference.version, exposed.experiment, exposed.phase, exposed.assigned,
        exposed.unit, decisive,
    )  # fmt: skip


def _user_labels(connection: Connection, ids: set[int]) -> dict[tuple[int, int], bool]:
    """Say of every phase of these experiments whether the labels that users volunteer decide."""
    query = select(phases.c.experiment_id, phases.c.number, phases.c.weights, experiments.c.spec)
    query = query.join(experiments).where(phases.c.experiment_id.in_(ids))
    return {
        (row.experiment_id, row.number): user_labels_decide(row.weights, row.spec["paired"])
        for row in connection.execute(query)
    }
