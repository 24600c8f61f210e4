from itertools import product

import pytest
from scipy.stats import chi2_contingency, chisquare

from serving.gateway.experiments.assignment import Split

UNITS = [f"unit {number}" for number in range(20_000)]
WEIGHTS = (0.5, 0.3, 0.2)


def arms(split: Split, units: list[str] = UNITS) -> list[int | None]:
    assigned = [split.assign(unit) for unit in units]
    return [each.arm if each else None for each in assigned]


def test_units_fall_to_the_arms_by_their_weights() -> None:
    found = arms(Split(1.0, WEIGHTS, "in", "arm"))
    counts = [found.count(arm) for arm in range(3)]
    assert chisquare(counts, [len(UNITS) * weight for weight in WEIGHTS]).pvalue > 0.001


def test_a_share_of_the_units_is_in_and_their_arms_do_not_depend_on_it() -> None:
    half, whole = Split(0.5, WEIGHTS, "in", "arm"), Split(1.0, WEIGHTS, "in", "arm")
    some, every = arms(half), arms(whole)
    assert chisquare([some.count(None), len(UNITS) - some.count(None)]).pvalue > 0.001
    assert all(arm in (None, other) for arm, other in zip(some, every, strict=True))
    counts = [some.count(arm) for arm in range(3)]
    assert chisquare(counts, [sum(counts) * weight for weight in WEIGHTS]).pvalue > 0.001


@pytest.mark.parametrize("salts", [("in", "other"), ("in 2", "arm 2")])
def test_experiments_are_independent(salts: tuple[str, str]) -> None:
    pairs = list(zip(arms(Split(1.0, WEIGHTS, "in", "arm")), arms(Split(1.0, WEIGHTS, *salts)), strict=True))
    table = [[pairs.count((a, b)) for b in range(3)] for a in range(3)]
    assert chi2_contingency(table).pvalue > 0.001


def test_the_assignment_of_a_unit_never_changes() -> None:
    """These were written down once: other processes, versions of Python and databases have to agree."""
    split = Split(0.8, WEIGHTS, "salt of traffic", "salt of arms")
    assert [split.assign(unit) for unit in ("a", "b", "Ω", "d")] == [
        (0, 0.5, 5567627579130705751), (1, 0.3, -2734879876359499247), (2, 0.2, 5876509018612016175), None,
    ]  # fmt: skip


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (0.0, 1.0, 0.0)])
def test_an_arm_of_weight_0_gets_nothing(weights: tuple[float, ...]) -> None:
    assert set(arms(Split(1.0, weights, "in", "arm"), UNITS[:5000])) == {weights.index(1.0)}


def test_units_have_names_of_their_own() -> None:
    names = {split.assign(unit) for split, unit in product([Split(1, (1.0,), s, "") for s in "ab"], UNITS[:5000])}
    assert len({each.unit for each in names if each}) == 10_000


def test_in_another_phase_units_keep_their_part_and_name_but_not_their_arm() -> None:
    first, second = (
        [Split(traffic, WEIGHTS, "in", salt).assign(unit) for unit in UNITS]
        for traffic, salt in ((0.5, "arm"), (0.8, "other arm"))
    )
    both = [(one, other) for one, other in zip(first, second, strict=True) if one and other]
    assert len(both) == sum(each is not None for each in first)  # with more traffic, nobody leaves
    assert all(one.unit == other.unit for one, other in both)
    table = [[sum((one.arm, other.arm) == (a, b) for one, other in both) for b in range(3)] for a in range(3)]
    assert chi2_contingency(table).pvalue > 0.001


def test_the_name_of_a_unit_says_nothing_of_its_draws() -> None:
    found = [each for unit in UNITS if (each := Split(0.5, (0.5, 0.5), "in", "arm").assign(unit))]
    assert chisquare([sum(each.unit < 0 for each in found), sum(each.unit >= 0 for each in found)]).pvalue > 0.001
    table = [[sum((each.unit < 0) == negative and each.arm == arm for each in found) for arm in range(2)]
             for negative in (False, True)]  # fmt: skip
    assert chi2_contingency(table).pvalue > 0.001
