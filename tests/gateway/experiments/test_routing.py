import pytest

from serving.gateway.errors import NotFound, Unavailable
from serving.gateway.experiments.assignment import Split
from serving.gateway.experiments.cache import Running, Snapshot
from serving.gateway.experiments.routing import ArmChoice, choose, unsettled
from serving.gateway.manifest import Manifest, Variant
from testing.manifest import MANIFEST

KNOWN = Manifest.model_validate(MANIFEST)
NOTHING = Snapshot(revision=0)


def running(number: int, name: str, traffic: float = 1.0) -> Running:
    split = Split(traffic, (0.5, 0.5), "in", "arm")
    return Running(number, name, ("plain", "dropout"), 0, False, float("inf"), 1, 1, (7, 7), split)


FIRST, SECOND = running(1, "first"), running(2, "second")
NAMES = {"first": "running", "second": "running", "held": "paused", "over": "stopped"}
TWO = Snapshot(revision=1, running={"first": FIRST, "second": SECOND}, names=NAMES)


@pytest.mark.parametrize(("named", "expected"), [(None, "plain"), ("plain", "plain"), ("dropout", "dropout")])
@pytest.mark.parametrize("snapshot", [NOTHING, Snapshot(default="gone")])
def test_a_named_variant_answers_else_the_default(snapshot: Snapshot, named: str | None, expected: str) -> None:
    chosen = choose(KNOWN, snapshot, named, None, "unit")
    assert isinstance(chosen, Variant)
    assert chosen.name == expected


@pytest.mark.parametrize(
    ("variant", "experiment", "expected"),
    [
        (None, None, FIRST), (None, "second", SECOND),
        ("plain", None, None), ("plain", "second", None), (None, "over", None),
    ],
)  # fmt: skip
def test_variant_goes_before_experiment_before_the_active_one(
    variant: str | None, experiment: str | None, expected: Running | None
) -> None:
    chosen = choose(KNOWN, TWO, variant, experiment, "unit")
    if expected is None:
        assert isinstance(chosen, Variant)
    else:
        assert isinstance(chosen, ArmChoice)
        assert (chosen.running, chosen.assignment) == (expected, expected.split.assign("unit"))


@pytest.mark.parametrize(
    ("variant", "experiment", "expected"),
    [
        (None, None, False),
        ("plain", "new", False),
        (None, "second", False),
        (None, "over", False),
        (None, "held", True),
        (None, "new", True),
    ],
)
def test_only_an_experiment_that_is_named_and_does_not_run_here_is_looked_up(
    variant: str | None, experiment: str | None, expected: bool
) -> None:
    assert unsettled(TWO, variant, experiment) is expected


def test_the_promoted_variant_is_the_default() -> None:
    chosen = choose(KNOWN, Snapshot(default="dropout"), None, None, "unit")
    assert isinstance(chosen, Variant)
    assert chosen.name == "dropout"


def test_units_outside_of_the_experiment_get_the_default() -> None:
    snapshot = Snapshot(running={"small": running(1, "small", traffic=0.1)})
    inside = sum(isinstance(choose(KNOWN, snapshot, None, None, f"unit {n}"), ArmChoice) for n in range(2000))
    assert 150 < inside < 250


def test_an_unknown_variant_is_an_error_that_names_the_known() -> None:
    with pytest.raises(NotFound) as caught:
        choose(KNOWN, NOTHING, "l2", None, "unit")
    assert caught.value.detail == "There is no variant 'l2'; there are plain, dropout."


@pytest.mark.parametrize(("snapshot", "known"), [(NOTHING, "none"), (TWO, "first, second, held, over")])
def test_an_unknown_experiment_is_an_error_that_names_the_known(snapshot: Snapshot, known: str) -> None:
    with pytest.raises(NotFound) as caught:
        choose(KNOWN, snapshot, None, "summer", "unit")
    assert caught.value.detail == f"There is no experiment 'summer'; there are {known}."


def test_what_is_unknown_before_the_store_has_been_read_is_no_fault_of_the_name() -> None:
    with pytest.raises(Unavailable, match="The store has not been read yet; try again shortly."):
        choose(KNOWN, Snapshot(), None, "summer", "unit")
    assert choose(KNOWN, Snapshot(), None, None, "unit") == KNOWN.variants[0]
