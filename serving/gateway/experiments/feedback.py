"""Record feedback: the true class of a prediction's image."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from sqlalchemy import Connection, Row

from serving.gateway.experiments import lifecycle, scorings
from serving.gateway.experiments.prediction_id import Exposed, PredictionRef, read
from serving.gateway.experiments.scorings import PhaseScoring
from serving.gateway.store import counts, days, exposures, labels
from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.evidence import Book, ImageLabel
from serving.gateway.store.labels import Fate, Label, Written
from serving.gateway.store.sources import UNREADABLE, trusted

Phases = Mapping[int, Mapping[int, PhaseScoring]]  # by experiment and number
CORRECTED = "labels that it rested on were replaced by labels of higher rank"


class Feedback(NamedTuple):
    """The label of one prediction; `source` is `user`, `audit` or `ground_truth`."""

    prediction_id: str
    label: str
    source: str


class FeedbackOutcome(Enum):
    """The outcomes of one piece of feedback."""

    STORED = "stored"
    REPLACED = "replaced a label of lower rank"
    STORED_BEFORE = "stored before"
    KEPT = "a label of higher rank stays"
    UNKNOWN_PREDICTION = "unknown prediction"
    UNKNOWN_CLASS = "unknown class"
    OTHER_LABEL = "other label"
    ARCHIVED = "archived experiment"


class FeedbackResult(NamedTuple):
    """The outcome of one piece of feedback, and why; `kept` is the source of a label of higher rank that stays."""

    outcome: FeedbackOutcome
    detail: str
    kept: str | None = None


class Refusal(Exception):
    """A piece of feedback that cannot be stored."""

    def __init__(self, outcome: FeedbackOutcome, detail: str) -> None:
        """Keep the outcome, and say why."""
        super().__init__(detail)
        self.result = FeedbackResult(outcome, detail)


def record(
    connection: Connection, secret: bytes, classes: Sequence[str], given: Sequence[Feedback], key: str | None = None
) -> list[FeedbackResult]:
    """Store and count labels, sent with the key of id `key`; return a result for each piece of feedback."""
    references = [read(secret, item.prediction_id) for item in given]
    ids = {reference.exposed.experiment for reference in references if reference and reference.exposed}
    of_experiments = [reference.key for reference in references if reference and reference.exposed]
    status = exposures.lock(connection, ids, of_experiments) if ids else {}
    phases = scorings.read(connection, ids) if ids else {}
    results: list[FeedbackResult | None] = []
    accepted: list[Label] = []
    for item, reference in zip(given, references, strict=True):
        try:
            accepted.append(replace(_label(item, reference, classes, status, phases), key=key))
            results.append(None)
        except Refusal as refusal:
            results.append(refusal.result)
    written = labels.write(connection, accepted)
    exposed = {reference.key: reference.exposed for reference in references if reference and reference.exposed}
    _count_delays(connection, exposed, accepted, written)
    in_force = [label for label, each in zip(accepted, written, strict=True) if each.in_force]
    _weigh(connection, secret, [label for label in in_force if label.experiment_id is not None], exposed, phases)
    stored = iter([_stored(label, each) for label, each in zip(accepted, written, strict=True)])
    return [result or next(stored) for result in results]


def history(connection: Connection, secret: bytes, prediction_id: str) -> Sequence[Row] | None:
    """Return source, label, time and key of a prediction's labels, the one in force first; None for an unknown id."""
    reference = read(secret, prediction_id)
    if reference is None:
        return None
    return labels.of_prediction(connection, reference.key)


def _label(
    item: Feedback, reference: PredictionRef | None, classes: Sequence[str], status: Mapping[int, str], phases: Phases
) -> Label:
    """Return the label to store; raise Refusal."""
    exposed = reference and reference.exposed
    # A backup that was restored may lack the experiment, or the phase.
    if reference is None or (exposed and exposed.phase not in phases.get(exposed.experiment, ())):
        detail = f"There is no prediction {item.prediction_id[:200]!r}; /predict answers with ids."
        raise Refusal(FeedbackOutcome.UNKNOWN_PREDICTION, detail)
    if item.label not in (*classes, UNREADABLE):
        detail = f"There is no class {item.label[:200]!r}; there are {', '.join(classes)}, and {UNREADABLE!r}."
        raise Refusal(FeedbackOutcome.UNKNOWN_CLASS, detail)
    if exposed and status[exposed.experiment] == "archived":
        detail = "The experiment of this prediction is archived and takes no more labels."
        raise Refusal(FeedbackOutcome.ARCHIVED, detail)
    known = (
        reference.key, item.label, item.source, reference.label, reference.variant, reference.version, time.time()
    )  # fmt: skip
    if exposed is None:
        return Label(*known)
    return Label(
        *known, exposed.experiment, exposed.phase, exposed.assigned, exposed.served, exposed.unit, reference.image
    )  # fmt: skip


def _stored(label: Label, written: Written) -> FeedbackResult:
    source, before = written.before or ("", "")
    match written.fate:
        case Fate.STORED:
            return FeedbackResult(FeedbackOutcome.STORED, f"The label {label.label!r} is stored.")
        case Fate.REPLACED:
            detail = f"The label {label.label!r} is stored; it replaces the label {before!r} of source {source!r}."
            return FeedbackResult(FeedbackOutcome.REPLACED, detail)
        case Fate.STORED_BEFORE:
            return FeedbackResult(FeedbackOutcome.STORED_BEFORE, f"The label {before!r} was stored before.")
        case Fate.KEPT:
            detail = f"This prediction has the label {before!r} of the higher source {source!r}, which stays."
            return FeedbackResult(FeedbackOutcome.KEPT, detail, source)
        case Fate.OTHER:
            detail = f"This prediction has the label {before!r} of the same source {source!r}; the first one stays."
            return FeedbackResult(FeedbackOutcome.OTHER_LABEL, detail)


def _count_delays(
    connection: Connection, exposed: Mapping[str, Exposed], given: Sequence[Label], written: Sequence[Written]
) -> None:
    """Count the delays of first trusted labels from their exposures, given by prediction."""
    tallies: dict[tuple[int, int], Tally] = defaultdict(Tally)
    for label, each in zip(given, written, strict=True):
        if label.experiment_id is None or label.phase is None or not (at := exposed[label.prediction].at):
            continue
        if each.in_force and trusted(label.source) and not (each.before and trusted(each.before[0])):
            delay = Count(days.DELAY, label.arm or 0, days.bucket(label.at - at))
            tallies[label.experiment_id, label.phase][delay] += 1
    for (experiment, phase), tally in tallies.items():
        counts.add(connection, experiment, phase, tally)


def _weigh(
    connection: Connection, secret: bytes, in_force: Sequence[Label], exposed: Mapping[str, Exposed], phases: Phases
) -> None:  # fmt: skip
    """Count labels of exposures as evidence; withdraw the verdicts of experiments whose evidence they correct."""
    grouped: dict[tuple[int, int], list[ImageLabel]] = defaultdict(list)
    for label in in_force:
        assert label.experiment_id is not None and label.phase is not None
        phase = phases[label.experiment_id][label.phase]
        if _is_evidence(label, phase):
            grouped[label.experiment_id, phase.epoch].append(_of_image(label, exposed[label.prediction]))
    corrected = set()
    for (experiment, epoch), batch in sorted(grouped.items()):
        book = Book(connection, experiment, epoch, scorings.by_phase(phases[experiment]), secret)
        if book.label(batch) and epoch == max(phase.epoch for phase in phases[experiment].values()):
            corrected.add(experiment)  # a verdict rests on the present epoch
    lifecycle.withdraw_verdicts(connection, corrected, CORRECTED)


def _is_evidence(label: Label, phase: PhaseScoring) -> bool:
    """Say whether a label can count: unpaired, a trusted one of an answer of the assigned arm in its own version.

    Paired, a volunteer's must be of the assigned arm's answer, since stand-ins serve some arms more than others.
    """
    own = label.served == label.arm
    if phase.scoring.paired:
        return own or trusted(label.source)
    version = phase.versions[label.arm or 0]
    return own and trusted(label.source) and version in (None, label.version)


def _of_image(label: Label, exposed: Exposed) -> ImageLabel:
    assert label.phase is not None and label.unit is not None and label.image is not None
    assert label.arm is not None and label.served is not None
    return ImageLabel(
        label.image, label.phase, label.unit, label.arm, label.served, label.predicted, label.label, label.source,
        exposed.at or label.at, exposed.client,
    )  # fmt: skip
