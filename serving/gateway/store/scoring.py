"""Score one image, and one unit: what each adds to the counters of an experiment. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from serving.gateway.store import days
from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.sources import RANK, TRUSTED, UNREADABLE, trusted

Answers = Sequence[Sequence[str | float] | None]  # by arm: label and confidence, None for an arm without an answer
NO_WEIGHT = -1
# Bounds of a disagreement's bin: the confidence of the less sure of the two arms.
LEVELS = (0.5, 0.7, 0.85, 0.95)


@dataclass(frozen=True)
class Scoring:
    """The part of an experiment's phase that says which labels count; `volunteers` are arms.

    Labels of users count for the pairs of `volunteers` with control, where one of the two was served. They inform the
    difference of a pair, and never its test.
    """

    arms: int
    control: int
    paired: bool
    volunteers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Image:
    """An image of an experiment: where it was seen first, the answers of all arms, and its label.

    `label` comes from `source`; the person who got this answer was served by the arm `served`, and saw `predicted`.
    """

    image: int
    phase: int
    unit: int
    assigned: int
    draw: int
    at: float
    answers: Answers | None = None
    label: str | None = None
    source: str | None = None
    served: int | None = None
    predicted: str | None = None
    prediction_id: str | None = None
    pixels: bytes | None = None
    client: int | None = None  # an index of clients.KINDS; set with the label

    @property
    def disagree(self) -> bool:
        """Whether arms disagree on the class."""
        return len({answer[0] for answer in self.answers or () if answer is not None}) > 1

    @property
    def scores(self) -> bool:
        """Whether a trusted label names a class."""
        return trusted(self.source) and self.label != UNREADABLE

    @property
    def weight(self) -> int:
        """Return the rank of the label as the outcome of the image's unit, NO_WEIGHT where it is none."""
        return RANK[self.source] if self.source is not None and self.scores else NO_WEIGHT


class PairScore(NamedTuple):
    """An image's part in one pair; each is 0 or 1."""

    compared: int = 0
    disagree: int = 0
    labelled: int = 0  # with a label that counts for the pair
    volunteered: int = 0  # with such a label that a user gave
    won: int = 0
    lost: int = 0


NOTHING = PairScore()


def pair_score(image: Image | None, scoring: Scoring, arm: int) -> PairScore:
    """Score an image for the pair of `arm` and control; control beside itself has nothing."""
    if arm == scoring.control or image is None or image.answers is None:
        return NOTHING
    ours, theirs = image.answers[arm], image.answers[scoring.control]
    if ours is None or theirs is None:
        return NOTHING
    disagree = int(ours[0] != theirs[0])
    labelled = int(_counts(image, scoring, arm))
    volunteered = int(labelled and not trusted(image.source))
    truth = image.label if labelled else None
    return PairScore(1, disagree, labelled, volunteered, disagree * (ours[0] == truth), disagree * (theirs[0] == truth))


def pair_scores(image: Image | None, scoring: Scoring) -> list[PairScore]:
    """Score an image for each arm beside control."""
    return [pair_score(image, scoring, arm) for arm in range(scoring.arms)]


class ImageFacts(NamedTuple):
    """All that an image's counters depend on; most images of an experiment share theirs."""

    scores: tuple[PairScore, ...]  # by arm; empty in unpaired experiments
    answered: bool
    disagree: bool
    labelled: bool
    unreadable: bool
    differing: tuple[int, int] | None = None  # paired, and the arms disagree: the assigned arm and the day
    trusted: bool = False


def image_facts(image: Image, scores: Sequence[PairScore], scoring: Scoring) -> ImageFacts:
    """Return the facts of an image with these scores."""
    return ImageFacts(
        tuple(scores) if scoring.paired else (), image.answers is not None, image.disagree, image.label is not None,
        image.label == UNREADABLE,
        (image.assigned, days.day(image.at)) if scoring.paired and image.disagree else None, trusted(image.source),
    )  # fmt: skip


def image_tally(facts: ImageFacts, images: int = 1) -> Tally:
    """Return the counters of so many images with these facts, but those of their units."""
    tally = Tally({Count("unreadable"): images * facts.unreadable})
    if facts.scores:
        counted = any(score.labelled for score in facts.scores)
        tally[Count("without_answers")] = images * (facts.labelled and not facts.answered)
        tally[Count("compared")] = images * facts.answered
        tally[Count("labels")] = images * counted
        tally[Count("volunteered")] = images * (counted and not facts.trusted)
        tally[Count("disagreements")] = images * facts.disagree
        tally[Count("labelled_disagreements")] = images * (facts.disagree and counted)
    if facts.differing:
        tally[Count(days.DIFFERING, *facts.differing)] = images
        tally[Count(days.DIFFERING_LABELLED, *facts.differing)] = images * facts.trusted
    for arm, score in enumerate(facts.scores):
        tally[Count("pair_images", arm)] = images * score.compared
        tally[Count("pair_disagreements", arm)] = images * score.disagree
        tally[Count("pair_labelled", arm)] = images * score.disagree * score.labelled
        tally[Count("pair_volunteered", arm)] = images * score.disagree * score.volunteered
        tally[Count("won", arm)] = images * score.won
        tally[Count("lost", arm)] = images * score.lost
        tally[Count("trusted_won", arm)] = images * score.won * (1 - score.volunteered)
        tally[Count("trusted_lost", arm)] = images * score.lost * (1 - score.volunteered)
    return tally


def outcome_tally(image: Image | None, scoring: Scoring) -> Tally:
    """Return the counters of a unit's outcome, which is this image's."""
    tally = Tally()
    if image is None or not image.scores:
        return tally
    tally[Count("labelled", image.assigned)] = 1
    tally[Count("errors", image.assigned)] = int(image.label != image.predicted)
    if not scoring.paired:
        tally[Count("labels")] = 1
    elif image.answers is not None:
        answered = [(arm, answer) for arm, answer in enumerate(image.answers) if answer is not None]
        right = sum(1 << arm for arm, answer in answered if answer[0] == image.label)
        tally[Count("first", sum(1 << arm for arm, _ in answered), right)] = 1
    return +tally


def outcome_days(image: Image | None) -> Tally:
    """Return the counter, by day of exposure, of a unit's outcome, which is this image's."""
    if image is None or not image.scores:
        return Tally()
    return Tally({Count(days.LABELLED, image.assigned, days.day(image.at)): 1})


class UnitResult(NamedTuple):
    """A unit's images in one pair: those that both arms answered, and those that only one of the two has right.

    The unit's evidence is its first such case: `case` is 1 if the variant has it right, -1 if control has, 0 without
    one. It is the first label of the highest rank, `rank`, that makes a case; `image` is its image.
    """

    images: int = 0
    won: int = 0
    lost: int = 0
    case: int = 0
    image: int | None = None
    rank: int = NO_WEIGHT

    def changed(self, image: Image, old: PairScore, new: PairScore) -> "UnitResult":
        """Return the result after `image` of the unit changed its score."""
        counted = self._replace(
            images=self.images + new.compared - old.compared, won=self.won + new.won - old.won,
            lost=self.lost + new.lost - old.lost,
        )  # fmt: skip
        case, rank = new.won - new.lost, NO_WEIGHT if image.source is None else RANK[image.source]
        if case and (image.image == self.image or rank > self.rank):
            return counted._replace(case=case, image=image.image, rank=rank)
        return counted._replace(case=0, image=None, rank=NO_WEIGHT) if image.image == self.image else counted


def unit_tally(results: Sequence[UnitResult], units: int = 1) -> Tally:
    """Return the counters of so many units with these results by arm."""
    tally = Tally()
    for arm, result in enumerate(results):
        net = result.won - result.lost
        tally[Count("pair_units", arm)] = units * (result.images > 0)
        tally[Count("sizes", arm)] = units * result.images**2
        tally[Count("squares", arm)] = units * net * net
        tally[Count("products", arm)] = units * result.images * net
        decides = units * (result.rank >= TRUSTED)
        tally[Count("first_won", arm)] = decides * (result.case > 0)
        tally[Count("first_lost", arm)] = decides * (result.case < 0)
        tally[Count("net", arm, (net > 0) - (net < 0))] = units * (result.won + result.lost > 0)
    return tally


def disagreement_bin(image: Image, scoring: Scoring, arm: int) -> int:
    """Return the bin of a disagreement: the surer arm, and how sure the other one is."""
    assert image.answers is not None
    ours, theirs = image.answers[arm], image.answers[scoring.control]
    assert ours is not None and theirs is not None
    confidences = float(ours[1]), float(theirs[1])
    return 2 * sum(min(confidences) >= level for level in LEVELS) + (confidences[0] > confidences[1])


def _counts(image: Image, scoring: Scoring, arm: int) -> bool:
    """Say whether the image's label is evidence for the pair of `arm` and control."""
    if image.label is None or trusted(image.source):
        return image.label is not None
    return arm in scoring.volunteers and image.served in (arm, scoring.control)
