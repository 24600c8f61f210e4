"""Choose the labelled images that teach, and those that judge: a unit's images are all on one side."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from serving.gateway.store.sources import RANK, UNREADABLE, trusted

HELD_OUT = 0.2  # share of the units whose images judge
LEAST_UNITS, LEAST_CLASSES = 2, 2
HASH_VALUES = 2**64


class Unusable(Exception):
    """Labelled images that nothing can be learned from; the text says why, and the remedy."""


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image with its label in force; `unit` and `image` are keyed hashes, and times are seconds since 1970."""

    prediction: str
    unit: int
    image: int
    label: str
    source: str
    predicted: str
    variant: str
    version: int
    pixels: bytes
    at: float


class Selection(NamedTuple):
    """Images to learn from, images to judge by, and the numbers of those left out, by reason."""

    train: list[LabelledImage]
    test: list[LabelledImage]
    left_out: Counter[str]


def select(given: Sequence[LabelledImage], classes: Sequence[str], size: int, user_labels: int = 0) -> Selection:
    """Choose among images in the order of their labels; raise Unusable.

    Images have `size` pixels. Labels of users teach where `user_labels` is their most a unit, 0 for none.
    """
    left_out = Counter[str]()
    usable = [image for image in given if not _unfit(image, classes, size, user_labels, left_out)]
    single = _bounded(_once(usable, left_out), user_labels, left_out)
    _check(single, left_out)
    held_out = _held_out({image.unit for image in single})
    train, test = (
        [image for image in single if (image.unit in held_out) is of_test] for of_test in (False, True)
    )  # fmt: skip
    return Selection(train, test, left_out)


def in_words(left_out: Counter[str]) -> str:
    """Return the numbers of images left out, such as `3 unreadable, 1 shown before`."""
    return ", ".join(f"{count:,} {reason}" for reason, count in left_out.most_common())


def _unfit(image: LabelledImage, classes: Sequence[str], size: int, user_labels: int, left_out: Counter[str]) -> bool:
    reason = None
    if image.label == UNREADABLE:
        reason = "unreadable"
    elif image.label not in classes:
        reason = "of an unknown class"
    elif len(image.pixels) != size:
        reason = "of another image size"
    elif not trusted(image.source) and not user_labels:
        reason = "labelled by users alone"
    if reason:
        left_out[reason] += 1
    return reason is not None


def _once(images: Iterable[LabelledImage], left_out: Counter[str]) -> list[LabelledImage]:
    """Return each image once, as it was labelled first by its highest source; leave out those with two such labels."""
    copies: dict[int, list[LabelledImage]] = defaultdict(list)
    for image in images:
        copies[image.image].append(image)
    single = []
    for same in copies.values():
        highest = max(RANK[image.source] for image in same)
        decide = [image for image in same if RANK[image.source] == highest]
        if len({image.label for image in decide}) > 1:
            left_out["with contradictory labels"] += len(same)
            continue
        left_out["shown before"] += len(same) - 1
        single.append(decide[0])
    return sorted(single, key=lambda image: (image.at, image.prediction))


def _bounded(images: Iterable[LabelledImage], user_labels: int, left_out: Counter[str]) -> list[LabelledImage]:
    """Leave out the images that users labelled beyond their most a unit."""
    given, bounded = Counter[int](), []
    for image in images:
        given[image.unit] += not trusted(image.source)
        if trusted(image.source) or given[image.unit] <= user_labels:
            bounded.append(image)
        else:
            left_out[f"beyond {user_labels} of a user's unit"] += 1
    return bounded


def _check(images: Sequence[LabelledImage], left_out: Counter[str]) -> None:
    left = f" (left out: {in_words(+left_out)})" if +left_out else ""
    if not images:
        raise Unusable(f"There are no labelled images{left}; set GATEWAY_KEEP_LABELLED and send labels to /feedback.")
    classes = {image.label for image in images}
    if len(classes) < LEAST_CLASSES:
        raise Unusable(f"All {len(images):,} labels say {min(classes)!r}{left}; label images of other classes, too.")
    if len({image.unit for image in images}) < LEAST_UNITS:
        raise Unusable(
            f"All {len(images):,} images come from one unit{left}; images of another one must judge what is learned."
        )


def _held_out(units: set[int]) -> set[int]:
    """Return the units whose images judge: by their hashes, so that they judge each later set, too."""
    in_order = sorted(units, key=lambda unit: unit % HASH_VALUES)
    chosen = {unit for unit in units if unit % HASH_VALUES < HELD_OUT * HASH_VALUES}
    if not chosen:
        return set(in_order[:1])
    return chosen if len(chosen) < len(units) else set(in_order[:-1])
