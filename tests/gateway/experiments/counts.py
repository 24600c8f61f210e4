"""Counts of phases as the tests need them."""

from collections.abc import Mapping, Sequence

from serving.gateway.experiments.outcomes import Design, Guardrail, PhaseCounts

RAILS = (Guardrail("error_rate", 0.5), Guardrail("slow", 0.5, 100))
PAIRED = Design("dropout_vs_l2", ("l2", "dropout"), 0, True, 0.05, 0.002, 200_000, RAILS)
UNPAIRED = Design("dropout_vs_l2", ("l2", "dropout"), 0, False, 0.05, 0.002, 200_000, RAILS)
THREE = Design("three", ("plain", "l2", "dropout"), 0, True, 0.05, 0.002, 200_000)


def paired_phase(masks: Mapping[int, int], *, arms: int = 2, **others: object) -> PhaseCounts:
    """Return a phase of as many units as images, evenly split; `others` replaces fields."""
    return _phase(arms, sum(masks.values()), {"masks": masks, **others})


def mcnemar(both: int, only_control: int, only_variant: int, **others: object) -> PhaseCounts:
    """Return a paired phase of control and one variant."""
    return _phase(
        2, both + only_control + only_variant, {"masks": {3: both, 1: only_control, 2: only_variant}, **others}
    )


def unpaired_phase(errors: Sequence[int], labelled: Sequence[int], **others: object) -> PhaseCounts:
    """Return a phase in which every unit has a label."""
    counts = {"units": tuple(labelled), "labelled_units": tuple(labelled)}
    return _phase(len(errors), 0, {**counts, "errors": tuple(errors), "labelled": tuple(labelled), **others})


def _phase(arms: int, units: int, others: Mapping[str, object]) -> PhaseCounts:
    split = tuple(units // arms for _ in range(arms))
    fields: dict[str, object] = {"weights": (1 / arms,) * arms, "units": split, "labelled_units": split, "masks": {}}
    fields |= dict.fromkeys(("errors", "labelled", "requests", "failures", "slow"), (0,) * arms)
    return PhaseCounts(**{**fields, **others})  # type: ignore[arg-type]
