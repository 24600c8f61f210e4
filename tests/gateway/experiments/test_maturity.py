"""Whether the labels are in yet, and what a verdict waits for."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from benchmarks.late_labels import shares
from serving.gateway.experiments.checks import check_labels
from serving.gateway.experiments.maturity import maturity, too_early
from serving.gateway.experiments.outcomes import Guardrail
from serving.gateway.experiments.prediction_id import Exposed, read, sign
from serving.gateway.experiments.report import build_report
from serving.gateway.store import days
from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.days import DAY_SECONDS
from testing.phase_counts import PAIRED, UNPAIRED, cases, mcnemar, unpaired_phase
from testing.recount import problems
from testing.trials import Trial, spec, temporary_store

TODAY = 20_000
NOON = datetime.fromtimestamp((TODAY + 0.5) * DAY_SECONDS, UTC)


class Clock:
    """A clock that tests move; it starts at noon of TODAY."""

    def __init__(self) -> None:
        self.day = 0.5

    def __call__(self) -> float:
        return (TODAY + self.day) * DAY_SECONDS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    told = Clock()
    monkeypatch.setattr(time, "time", told)
    return told


@pytest.mark.slow
def test_delays_and_ages_are_counted_by_arm(clock: Clock) -> None:
    with temporary_store() as store:
        trial = Trial(store, spec(0.5, 0.5))
        first = trial.send([0, 1] * 10, [("1", "1")] * 20)
        clock.day += 1
        trial.label(dict.fromkeys(first[0::2], "1"))  # those of control
        second = trial.send([0, 1] * 10, [("1", "1")] * 20)
        clock.day += 4
        trial.label(dict.fromkeys(first[1:10:2], "1"))
        trial.label(dict.fromkeys(second[:2], "1"), "user")
        clock.day += 7
        found = trial.report()["maturity"]
        with store.read() as connection:
            assert problems(connection, trial.row().id) == []
    control, variant = found["delay"]["arms"]
    assert (control["labels"], variant["labels"], found["delay"]["labels"]) == (10, 5, 15)
    assert control["median_days"] == pytest.approx(1, rel=0.2)
    assert variant["p80_days"] == pytest.approx(5, rel=0.2)
    assert sum(each["labels"] for each in found["delay"]["histogram"]) == 15
    by_age = {each["from_days"]: each for each in found["ages"] if each["exposures"]}
    assert {age: (each["exposures"], each["labelled"]) for age, each in by_age.items()} == {8: (40, 15)}
    assert found["mature"] == {"exposures": 40, "labelled": 15, "share": 0.375}
    assert found["expected"]["labels"] == 0


def cohorts(paired: bool, *each: tuple[int, int, int]) -> Tally:
    """Return counters of exposures (age in days, number, labelled), and a label in ten after two days at most."""
    came, told = (days.DIFFERING, days.DIFFERING_LABELLED) if paired else (days.UNITS, days.LABELLED)
    tally = Tally({Count(days.DELAY, 0, days.bucket(2 * DAY_SECONDS)): 10})
    for age, number, labelled in each:
        tally[Count(came, 0, TODAY - age)] = number
        tally[Count(told, 0, TODAY - age)] = labelled
    return tally


@pytest.mark.parametrize("paired", [True, False])
def test_labels_are_expected_as_often_as_of_the_mature(paired: bool) -> None:
    design = PAIRED if paired else UNPAIRED
    found = maturity(design, cohorts(paired, (10, 100, 80), (1, 50, 10), (0, 50, 0)), None, NOON)
    assert found["mature"] == {"exposures": 100, "labelled": 80, "share": 0.8}
    assert found["expected"]["labels"] == 0.8 * 100 - 10
    by = datetime.fromtimestamp((TODAY + 1 + found["delay"]["p80_days"]) * DAY_SECONDS, UTC)
    assert datetime.fromisoformat(found["expected"]["by"]) == by.replace(microsecond=0)
    assert maturity(design, cohorts(paired, (1, 50, 10)), None, NOON)["expected"] is None
    assert maturity(design, Tally(), None, NOON)["delay"]["median_days"] is None


@pytest.mark.slow
def test_paired_ages_are_of_disagreements(clock: Clock) -> None:
    with temporary_store() as store:
        trial = Trial(store, spec(0.5, 0.5, paired=True))
        ids = trial.send([0, 1, 0, 1], [("1", "2"), ("1", "1"), ("1", "2"), ("1", "2")])
        clock.day += 3
        trial.label({ids[0]: "1", ids[1]: "1"})
        found = trial.report()["maturity"]
        with store.read() as connection:
            assert problems(connection, trial.row().id) == []
    assert [each for each in found["ages"] if each["exposures"]] == [
        {"from_days": 2, "to_days": 4, "exposures": 3, "labelled": 1, "share": 1 / 3}
    ]


def test_a_verdict_waits_for_the_least_time_and_units() -> None:
    design = replace(PAIRED, min_days=3, min_units=1000)
    phase = mcnemar(800, 20, 80, units=(450, 450))
    began = NOON.timestamp() - 2 * DAY_SECONDS
    early = build_report(design, [phase], [None, None], "running", NOON, 1, began)
    assert early["decision"]["recommendation"] == "continue"
    assert early["decision"]["reasons"][0] == (
        "It is too early for a verdict: 2.0 of 3 days have passed and 900 of 1,000 units have been exposed."
    )
    assert early["comparisons"][0]["verdict"] == "undecided"
    assert too_early(design, 1000, began, NOON) == "It is too early for a verdict: 2.0 of 3 days have passed."
    phase = mcnemar(800, 20, 80, units=(500, 500))
    later = build_report(design, [phase], [None, None], "running", NOON, 1, began - DAY_SECONDS)
    assert later["decision"]["recommendation"] == "ship"


@pytest.mark.slow
def test_the_time_after_the_end_is_no_run_time(clock: Clock) -> None:
    with temporary_store() as store:
        trial = Trial(store, spec(0.5, 0.5, paired=True, min_days=7))
        trial.label(dict.fromkeys(trial.send([0, 1] * 20, [("1", "7")] * 40), "7"))
        clock.day += 1
        trial.step("stop")
        clock.day += 7
        found = trial.report()
    assert found["decision"]["recommendation"] == "continue"
    assert found["decision"]["reasons"][0] == "It is too early for a verdict: 1.0 of 7 days have passed."
    assert found["maturity"]["waits"]["days"] == 1.0


def test_a_broken_guardrail_does_not_wait() -> None:
    design = replace(PAIRED, min_days=3, guardrails=(Guardrail("error_rate", 0.5),))
    phase = mcnemar(800, 20, 80, failed=cases((1, 60)), calls=cases((500, 500)))
    found = build_report(design, [phase], [None, None], "running", NOON, 1, NOON.timestamp())
    assert found["decision"]["recommendation"] == "guardrail_broken"


def test_only_mature_labels_are_held_against_the_weights() -> None:
    phase = unpaired_phase([5, 1], [400, 100])
    assert not check_labels(phase).ok
    assert check_labels(replace(phase, mature=(50, 45))).ok


@pytest.mark.slow
def test_late_labels_of_one_arm_decide_nothing() -> None:
    """A short form of `make verify-experiments ARGS=late`."""
    assert shares(0.3, 500, 8, before=True).unhealthy == 1
    now = shares(0.3, 500, 8, before=False)
    assert (now.decided, now.unhealthy) == (0, 0)


def test_an_id_without_a_time_is_read() -> None:
    (old,) = sign(b"secret", "00" * 12, ["7"], "l2", 1, Exposed(1, 1, 5, 0, 0)[:5], [3])  # type: ignore[arg-type]
    found = read(b"secret", old)
    assert found is not None and found.exposed is not None
    assert found.exposed.at == 0
