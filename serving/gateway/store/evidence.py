"""Change the images of an experiment, and its counters with them, in one transaction.

A counter is a sum over images or units, so a change takes away their old part and adds the new one. Those that change
are locked meanwhile: images first, then units, then the results of units.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from serving.gateway.store import breakdown, counts, fair_sample, images, locks, units
from serving.gateway.store import taught as taught_images
from serving.gateway.store.breakdown import Cells
from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.fair_sample import Event
from serving.gateway.store.images import ImageAnswers
from serving.gateway.store.scoring import (
    NO_WEIGHT,
    Answers,
    Image,
    ImageFacts,
    PairScore,
    Scoring,
    UnitResult,
    image_facts,
    image_tally,
    outcome_days,
    outcome_tally,
    pair_score,
    pair_scores,
    unit_tally,
)
from serving.gateway.store.sources import TRUSTED, outranks, trusted

Scorings = Mapping[int, Scoring]  # by phase


class Seen(NamedTuple):
    """An image that the arms answered, and the exposure that brought it."""

    phase: int
    unit: int
    assigned: int
    at: float
    given: ImageAnswers


class ImageLabel(NamedTuple):
    """A label of an image, and the exposure that it is about, `at` its time where that is known."""

    image: int
    phase: int
    unit: int
    assigned: int
    served: int
    predicted: str
    label: str
    source: str
    at: float
    client: int | None = None


class Change(NamedTuple):
    """An image before and after, and its scores by arm."""

    old: Image | None
    new: Image
    scoring: Scoring
    was: list[PairScore]
    now: list[PairScore]

    @property
    def corrects(self) -> bool:
        """Whether a trusted label that told the arms apart has been replaced by another one."""
        return self.old is not None and trusted(self.old.source) and self.was != self.now


class Claimed(NamedTuple):
    """Locked images by their hashes: those to write where there are none, those there were, and hashes that taught."""

    first: dict[int, Image]
    before: dict[int, Image]
    taught: set[int]


class Book:
    """The images of one experiment and epoch that a transaction changes, with their units and counters."""

    def __init__(self, connection: Connection, experiment: int, epoch: int, scorings: Scorings, secret: bytes) -> None:
        """Prepare for an experiment that is locked; `secret` draws the queue's order."""
        self._connection = connection
        self._experiment, self._epoch = experiment, epoch
        self._scorings = scorings
        self._secret = secret
        self._tallies: dict[int, Tally] = defaultdict(Tally)  # changes of the counters, by phase
        self._cells: dict[int, Cells] = defaultdict(Cells)  # and of the breakdown
        self._corrected = False  # whether trusted evidence of units has been replaced

    def claim_answered(self, seen: Sequence[Seen]) -> Claimed:
        """Lock the images that arms answered, before the units of their exposures are locked."""
        first: dict[int, Image] = {}
        for each in seen:
            image = self._new(each.given.image, each.phase, each.unit, each.assigned, each.at, each.given.answers)
            first.setdefault(each.given.image, _queued(image, each.given))
        return self._claim(first)

    def answered(self, seen: Sequence[Seen], claimed: Claimed | None = None) -> None:
        """Keep the answers of all arms about images; pixels that it has, or that taught, count as a repeat."""
        first, before, taught = claimed or self.claim_answered(seen)
        after = dict(before)
        for each in seen:
            image = after.get(each.given.image)
            if each.given.image in taught:
                self._tallies[each.phase][Count("repeats")] += 1
            elif image is None:
                after[each.given.image] = first[each.given.image]
            elif image.answers is not None:
                self._tallies[each.phase][Count("repeats")] += 1
            else:
                after[image.image] = _queued(replace(image, answers=each.given.answers), each.given)
        self._settle(before, after, first)

    def label(self, labels: Sequence[ImageLabel]) -> bool:
        """Label images; the first label of the highest source stays. Say whether a label that counted was replaced."""
        new: dict[int, Image] = {}
        for each in labels:
            unlabelled = self._new(each.image, each.phase, each.unit, each.assigned, each.at)
            new.setdefault(each.image, _labelled(unlabelled, each))
        first, before, taught = self._claim(new)
        after = dict(before)
        for each in labels:
            image = after.get(each.image)
            if each.image in taught:
                continue
            if image is None:
                after[each.image] = first[each.image]
                continue
            if not self._scorings[image.phase].paired and (image.phase, image.unit) != (each.phase, each.unit):
                self._tallies[each.phase][Count("repeats")] += 1  # another answer, of perhaps another arm
                continue
            # A volunteer's label is evidence by the weights of its own phase.
            if outranks(each.source, image.source) and (trusted(each.source) or each.phase == image.phase):
                after[each.image] = _labelled(image, each)
        return self._settle(before, after, first)

    def _claim(self, first: dict[int, Image]) -> Claimed:
        """Lock images; `first` are those to write where there are none."""
        taught = taught_images.among(self._connection, first)
        new = {key: image for key, image in first.items() if key not in taught}
        before = images.claim(self._connection, self._experiment, self._epoch, new)
        if taught:
            before |= self._load(taught, lock=True)  # they taught after they had come here
        return Claimed(first, before, taught - before.keys())

    def _load(self, hashes: Collection[int], *, lock: bool = False) -> dict[int, Image]:
        return images.load(self._connection, self._experiment, self._epoch, hashes, lock=lock)

    def _new(
        self, image: int, phase: int, unit: int, assigned: int, at: float, answers: Answers | None = None
    ) -> Image:  # fmt: skip
        return Image(image, phase, unit, assigned, draw(self._secret, self._experiment, image), at, answers)

    def _settle(self, before: Mapping[int, Image], after: Mapping[int, Image], first: Mapping[int, Image]) -> bool:
        """Write the changed images, and bring units and counters up to date; say whether evidence was corrected."""
        # The first of several is chosen at random, not by the client: labels are taken in the queue's order.
        changed = {
            image.image: image
            for image in sorted(after.values(), key=lambda image: image.draw)
            if image is not before.get(image.image)
        }
        images.save(self._connection, self._experiment, self._epoch, changed, first)
        changes = [self._change(before.get(key), image) for key, image in changed.items()]
        self._settle_facts(changes)
        self._settle_outcomes(before, changed)
        paired = [change for change in changes if change.scoring.paired]
        self._settle_results(paired)
        if any(image.pixels for image in changed.values()):
            images.bound(self._connection, self._experiment)
        self._sample(paired)
        self._break_down(paired)
        while self._cells:
            phase, cells = self._cells.popitem()
            breakdown.add(self._connection, self._experiment, phase, cells)
        while self._tallies:
            phase, tally = self._tallies.popitem()
            counts.add(self._connection, self._experiment, phase, {count: n for count, n in tally.items() if n})
        return self._corrected or any(change.corrects for change in changes)

    def _change(self, old: Image | None, new: Image) -> Change:
        scoring = self._scorings[new.phase]
        return Change(old, new, scoring, pair_scores(old, scoring), pair_scores(new, scoring))

    def _settle_facts(self, changes: Sequence[Change]) -> None:
        """Count the images that gained and lost facts; few facts are many images'."""
        gained = Counter[tuple[int, ImageFacts]]()
        for old, new, scoring, was, now in changes:
            gained[new.phase, image_facts(new, now, scoring)] += 1
            if old is not None:
                gained[new.phase, image_facts(old, was, scoring)] -= 1
        for (phase, facts), n in gained.items():
            self._tallies[phase].update(image_tally(facts, n))

    def _break_down(self, changes: Sequence[Change]) -> None:
        """Count the images of paired experiments by their properties."""
        for old, new, scoring, was, now in changes:
            if new.label is not None:
                self._cells[new.phase].update(breakdown.of_image(new, now, scoring))
                self._cells[new.phase].subtract(breakdown.of_image(old, was, scoring))

    def _add(self, phase: int, new: Tally, old: Tally) -> None:
        self._tallies[phase].update(new)
        self._tallies[phase].subtract(old)

    def _settle_outcomes(self, before: Mapping[int, Image], changed: Mapping[int, Image]) -> None:
        """Choose the image whose label is a unit's outcome: the first one of the unit's highest source."""
        scored: dict[int, list[Image]] = defaultdict(list)
        for key, image in changed.items():
            if image.scores or ((old := before.get(key)) is not None and old.scores):
                scored[image.phase].append(image)
        for phase, of_phase in sorted(scored.items()):
            of_units = {image.unit: (image.assigned, image.at) for image in of_phase}
            self._tallies[phase].update(units.write(self._connection, self._experiment, phase, of_units))
            was = units.outcomes(self._connection, self._experiment, phase, of_units)
            held = {image for image in was.values() if image is not None}
            earlier = {**before, **self._load(held - before.keys())}
            known = {**earlier, **changed}
            now = dict(was)
            for image in [*of_phase, *self._next_outcomes(known, was, phase)]:
                holder = _of(known, now[image.unit])
                if image.weight > (holder.weight if holder else NO_WEIGHT):
                    now[image.unit] = image.image
            units.set_outcomes(
                self._connection, self._experiment, phase,
                {unit: image for unit, image in now.items() if image is not None and image != was[unit]},
            )  # fmt: skip
            for unit, outcome in now.items():
                old, new = _of(earlier, was[unit]), _of(known, outcome)
                gone, gained = (outcome_tally(each, self._scorings[phase]) for each in (old, new))
                self._add(phase, gained, gone)
                self._add(phase, outcome_days(new), outcome_days(old))
                if not self._scorings[phase].paired:  # paired, outcomes are the arms' accuracies, and no evidence
                    self._corrected |= bool(gone) and gained != gone
                    self._cells[phase].update(breakdown.of_outcome(new))
                    self._cells[phase].subtract(breakdown.of_outcome(old))

    def _next_outcomes(
        self, known: dict[int, Image], was: Mapping[int, int | None], phase: int
    ) -> list[Image]:  # fmt: skip
        """Return the labelled images of units whose outcome has become unreadable, and add them to the known ones."""
        found = []
        for unit, outcome in was.items():
            if (holder := _of(known, outcome)) is not None and holder.weight == NO_WEIGHT:
                labelled = images.labelled(self._connection, self._experiment, self._epoch, unit)
                found += [image for image in labelled if image.phase == phase and image.image not in known]
        known.update({image.image: image for image in found})
        return found

    def _settle_results(self, changes: Sequence[Change]) -> None:
        """Bring the results of the images' units up to date."""
        if not changes:
            return
        first = _results({}, changes)
        before = units.claim_results(self._connection, self._experiment, self._epoch, first)
        after = _results(before, changes)
        self._replace_cases(after)
        written = {**first, **before}
        unwritten = {unit: result for unit, result in after.items() if result != written[unit]}
        units.write_results(self._connection, self._experiment, self._epoch, unwritten)
        changed = {unit: result for unit, result in after.items() if result != before.get(unit)}
        gained = Counter[tuple[int, tuple[UnitResult, ...]]]()
        for unit, (phase, results) in changed.items():
            gained[phase, _unnamed(results)] += 1
            if unit in before:
                gained[phase, _unnamed(before[unit][1])] -= 1
                self._corrected |= any(map(_replaced, before[unit][1], results))
        for (phase, unnamed), n in gained.items():
            self._tallies[phase].update(unit_tally(unnamed, n))

    def _replace_cases(self, results: dict[int, tuple[int, list[UnitResult]]]) -> None:
        """Give units another case where the image of their first one is none any more."""
        for unit, (_, of_arms) in results.items():
            lacking = [arm for arm, result in enumerate(of_arms) if not result.case and result.won + result.lost]
            if lacking:
                labelled = images.labelled(self._connection, self._experiment, self._epoch, unit)
                for arm in lacking:
                    result = of_arms[arm]
                    for image in labelled:
                        score = pair_score(image, self._scorings[image.phase], arm)
                        result = result.changed(image, score, score)
                    of_arms[arm] = result

    def _sample(self, changes: Sequence[Change]) -> None:
        """Test whether the disagreements that get a trusted label are drawn fairly from those without one."""
        events: dict[int, list[Event]] = defaultdict(list)
        for old, new, scoring, was, now in changes:
            if any(score.disagree for score in now):
                events[new.phase] += fair_sample.events(old, new, was, now, scoring)
        for phase, of_phase in events.items():
            known = Tally()
            if any(event.drawn for event in of_phase):
                locks.sample(self._connection, self._experiment)
                known = counts.of_names(self._connection, self._experiment, phase, fair_sample.NAMES)
            self._tallies[phase].update(fair_sample.tally(known, of_phase))


def _results(
    before: Mapping[int, tuple[int, list[UnitResult]]], changes: Sequence[Change]
) -> dict[int, tuple[int, list[UnitResult]]]:  # fmt: skip
    """Return the phase and the results by arm of the units of changed images."""
    after = dict(before)
    for _, new, scoring, was, now in changes:
        phase, results = after.get(new.unit) or (new.phase, [UnitResult()] * scoring.arms)
        after[new.unit] = (
            phase,
            [result.changed(new, *scores) for result, *scores in zip(results, was, now, strict=True)],
        )
    return after


def _replaced(old: UnitResult, new: UnitResult) -> bool:
    """Say whether a unit has lost a case that counted in the test."""
    return old.case != 0 and old.rank >= TRUSTED and new.case != old.case


def _unnamed(results: Sequence[UnitResult]) -> tuple[UnitResult, ...]:
    """Return the results without the images of their cases."""
    return tuple(result if result.image is None else result._replace(image=None) for result in results)


def draw(secret: bytes, experiment: int, image: int) -> int:
    """Return an image's place in the queue: random to whoever does not know `secret`, the same for everybody."""
    text = f"{experiment}:{image}".encode()
    return int.from_bytes(hashlib.blake2b(text, key=secret, digest_size=8, person=b"queue").digest(), signed=True)


def _of(known: Mapping[int, Image], image: int | None) -> Image | None:
    return None if image is None else known.get(image)


def _queued(image: Image, given: ImageAnswers) -> Image:
    """Return the image with its pixels, where it waits for a trusted label."""
    if not image.disagree or trusted(image.source):
        return image
    return replace(image, pixels=given.pixels, prediction_id=given.prediction_id)


def _labelled(image: Image, label: ImageLabel) -> Image:
    """Return the image with a label; a trusted one takes it out of the queue."""
    labelled = replace(
        image, label=label.label, source=label.source, served=label.served, predicted=label.predicted,
        client=label.client,
    )  # fmt: skip
    return replace(labelled, pixels=None, prediction_id=None) if trusted(label.source) else labelled
