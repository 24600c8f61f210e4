"""Counts of phases as tests and simulations need them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from serving.gateway.experiments.outcomes import Cases, Design, Guardrail, PairCounts, PhaseCounts

RAILS = (Guardrail("error_rate", 0.5), Guardrail("slow", 0.5, 100))
PAIRED = Design("dropout_vs_l2", ("l2", "dropout"), 0, True, 0.05, 0.002, 200_000, RAILS)
UNPAIRED = Design("dropout_vs_l2", ("l2", "dropout"), 0, False, 0.05, 0.002, 200_000, RAILS)
THREE = Design("three", ("plain", "l2", "dropout"), 0, True, 0.05, 0.002, 200_000)


def paired_phase(masks: Mapping[int, int], *, arms: int = 2, control: int = 0, **others: Any) -> PhaseCounts:
    """Return a phase of labelled images by mask of the right arms, each a unit, split evenly; `others` replaces fields.

    The arms differ on an image where one is right and another is not.
    """
    images, everyone = sum(masks.values()), (1 << arms) - 1
    differing = sum(n for mask, n in masks.items() if mask not in (0, everyone))
    counts = {
        "pairs": tuple(PairCounts() if arm == control else _pair(masks, arm, control) for arm in range(arms)),
        "firsts": {(everyone, mask): n for mask, n in masks.items()},
        "labels": images, "compared": images, "disagreements": differing, "labelled_disagreements": differing,
        "trusted_disagreements": differing,
    }  # fmt: skip
    return _phase(arms, images, {**counts, **others})


def _pair(masks: Mapping[int, int], arm: int, control: int) -> PairCounts:
    won = sum(n for mask, n in masks.items() if mask >> arm & 1 and not mask >> control & 1)
    lost = sum(n for mask, n in masks.items() if mask >> control & 1 and not mask >> arm & 1)
    return single_images(sum(masks.values()), won, lost)


def single_images(images: int, won: int, lost: int, unlabelled: int = 0) -> PairCounts:
    """Return the counts of units of one image; the arms differ on `unlabelled` further ones."""
    return PairCounts(
        units=images, images=images, disagreements=won + lost + unlabelled, labelled_disagreements=won + lost,
        won=won, lost=lost, trusted_won=won, trusted_lost=lost, first_won=won, first_lost=lost,
        net={12: won, -12: lost}, squares=won + lost, products=won - lost, sizes=images,
    )  # fmt: skip


def mcnemar(both: int, only_control: int, only_variant: int, *, control: int = 0, **others: Any) -> PhaseCounts:
    """Return a paired phase of control and one variant."""
    variant = 1 - control
    masks = {3: both, 1 << control: only_control, 1 << variant: only_variant}
    return paired_phase(masks, control=control, **others)


def queue(images: int, won: int, lost: int, unlabelled: int = 0, **others: Any) -> PhaseCounts:
    """Return a paired phase of which disagreements alone have labels."""
    counts = {
        "pairs": (PairCounts(), single_images(images, won, lost, unlabelled)),
        "compared": images, "disagreements": won + lost + unlabelled,
    }  # fmt: skip
    return mcnemar(0, lost, won, **{**counts, **others})


def units_phase(units: Iterable[tuple[int, int, int, bool]], **others: Any) -> PhaseCounts:
    """Return a paired phase of units (images, won, lost, whether the first case is a won one), all labelled."""
    all_units = list(units)
    images, won, lost = (sum(column) for column in list(zip(*all_units, strict=True))[:3])
    used = [(w, x, first) for _, w, x, first in all_units if w + x]
    pair = PairCounts(
        units=len(all_units), images=images, disagreements=won + lost, labelled_disagreements=won + lost,
        won=won, lost=lost, trusted_won=won, trusted_lost=lost,
        first_won=sum(first for *_, first in used), first_lost=sum(not first for *_, first in used),
        net=Counter(round(12 * (w - x) / (w + x)) for w, x, _ in used),
        squares=sum((w - x) ** 2 for _, w, x, _ in all_units), products=sum((w - x) * n for n, w, x, _ in all_units),
        sizes=sum(n * n for n, *_ in all_units),
    )  # fmt: skip
    return mcnemar(images - won - lost, lost, won, **{"pairs": (PairCounts(), pair), **others})


def unpaired_phase(errors: Sequence[int], labelled: Sequence[int], **others: Any) -> PhaseCounts:
    """Return a phase in which every unit has a label."""
    counts = {"units": tuple(labelled), "errors": tuple(errors), "labelled": tuple(labelled), "labels": sum(labelled)}
    return _phase(len(errors), 0, {**counts, **others})


def cases(served: Sequence[int], shadow: Sequence[int] | None = None) -> Cases:
    """Return the cases of a guardrail, or calls, without any in the shadow unless given."""
    return Cases(tuple(served), tuple(shadow or [0] * len(served)))


def _phase(arms: int, units: int, others: Mapping[str, Any]) -> PhaseCounts:
    none, split = (0,) * arms, (units // arms,) * arms
    fields: dict[str, Any] = {"weights": (1 / arms,) * arms, "units": split, "labelled": split}
    fields |= {"firsts": {}, "pairs": (PairCounts(),) * arms, "failed": cases(none), "slow": cases(none)}
    fields["calls"] = cases(none)
    fields |= dict.fromkeys(("errors", "exposures", "images", "requests", "failures", "stand_ins"), none)
    return PhaseCounts(**{**fields, **others})
