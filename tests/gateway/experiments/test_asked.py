"""The evidence and the cases of guardrails in one request, whose answers are made up."""

import math

import numpy as np
import pytest

from serving.gateway.errors import DeadlineExceeded
from serving.gateway.experiments.assignment import Assignment, Split
from serving.gateway.experiments.cache import Running
from serving.gateway.experiments.traffic import Outcome, exposure, outcomes
from serving.gateway.inference.batching import ModelCall
from serving.gateway.inference.fallback import Attempt
from serving.gateway.inference.tf_serving.client import PROBABILITIES, Answer
from serving.gateway.manifest import Manifest
from serving.gateway.store.exposures import Asked
from testing.manifest import MANIFEST

PUBLISHED = Manifest.model_validate(MANIFEST)
SLOW_MS = 100.0
ASSIGNED = Assignment(arm=1, propensity=0.5, unit=-3)
FAILED = DeadlineExceeded("made up")


def running(*versions: int | None, experiment: int = 1) -> Running:
    """An experiment of plain (control) and dropout, in its third phase."""
    split = Split(1.0, (0.5, 0.5), "in", "arm")
    return Running(experiment, "test", ("plain", "dropout"), 0, True, SLOW_MS, 3, 2, versions or (7, 7), split)


def answer(*digits: int, version: int = 7) -> Answer:
    return Answer.of(version, {PROBABILITIES: np.eye(10, dtype=np.float32)[list(digits)]})


def dropout(outcome: Answer | DeadlineExceeded, milliseconds: float = 2.0, call: ModelCall | None = None) -> Attempt:
    return Attempt("dropout", milliseconds, outcome, call)


def asked(attempt: Attempt, running: Running) -> Asked:
    """Return how a request to the assigned arm counts."""
    found = outcomes(running, 1, [attempt], PUBLISHED)
    (one,) = exposure("key", running, ASSIGNED, 1, found, images=1).asked
    return one


def test_an_answer_is_evidence_for_each_image() -> None:
    found = outcomes(running(), 1, [dropout(answer(3, 4))], PUBLISHED)
    assert found == {1: Outcome(2.0, False, [("3", 1.0), ("4", 1.0)])}


@pytest.mark.parametrize(("version", "evidence"), [(7, True), (8, False), (None, True)])
def test_an_answer_in_another_version_is_no_evidence_and_no_failure(version: int | None, evidence: bool) -> None:
    experiment = running(8, version)
    found = outcomes(experiment, 1, [dropout(answer(3))], PUBLISHED)[1]
    assert (found.failed, found.said is not None) == (False, evidence)
    assert not exposure("key", experiment, ASSIGNED, 1, {1: found}, images=1).failed


def test_an_exposure_has_its_phase_and_the_phase_from_which_its_versions_count() -> None:
    made = exposure("key", running(), ASSIGNED, 1, {1: Outcome(2.0, False, [("3", 1.0)])}, images=1)
    assert (made.phase, made.epoch, made.unit) == (3, 2, -3)


@pytest.mark.parametrize("stand_in", [answer(3), FAILED])
def test_a_stand_in_is_never_charged(stand_in: Answer | DeadlineExceeded) -> None:
    attempts = [dropout(FAILED, 2 * SLOW_MS, ModelCall()), Attempt("plain", 3 * SLOW_MS, stand_in, ModelCall())]
    found = outcomes(running(), 1, attempts, PUBLISHED)
    assert set(found) == {0, 1}
    made = exposure("key", running(), ASSIGNED, 0, found, images=1)
    assert made.asked == (Asked(1, 2 * SLOW_MS, failed=True, slow=True, shadow=False, case=True, new_call=True),)


@pytest.mark.parametrize(("outcome", "milliseconds"), [(FAILED, 2.0), (FAILED, 2 * SLOW_MS), (answer(3), 2 * SLOW_MS)])
def test_faulty_requests_that_travelled_together_are_one_case_of_an_experiment(
    outcome: Answer | DeadlineExceeded, milliseconds: float
) -> None:
    call = ModelCall()
    together = [asked(dropout(outcome, milliseconds, call), running()) for _ in range(3)]
    assert [(each.case, each.new_call) for each in together] == [(True, True), (False, False), (False, False)]
    for apart in (
        asked(dropout(outcome, milliseconds, call), running(experiment=2)),
        asked(dropout(outcome, milliseconds, ModelCall()), running()),
    ):
        assert (apart.case, apart.new_call) == (True, True)


@pytest.mark.parametrize("milliseconds", [2.0, 2 * SLOW_MS])
def test_requests_that_never_travelled_are_failures_and_no_cases(milliseconds: float) -> None:
    """They waited behind a call that hung, which is the case, or the circuit was open."""
    found = [asked(dropout(FAILED, milliseconds), running()) for _ in range(100)]
    assert {(each.failed, each.case, each.new_call) for each in found} == {(True, False, False)}


def test_a_request_without_a_fault_is_no_case_and_takes_none_from_another() -> None:
    call = ModelCall()
    fine = asked(dropout(answer(3), 2.0, call), running())
    late = asked(dropout(answer(3), 2 * SLOW_MS, call), running())
    assert [(each.case, each.new_call) for each in (fine, late)] == [(False, True), (True, False)]


@pytest.mark.parametrize("confidence", [math.nan, math.inf])
def test_an_answer_whose_confidence_is_no_number_is_no_evidence_and_no_failure(confidence: float) -> None:
    given = answer(3, 4)
    given.outputs[PROBABILITIES][1, 4] = confidence
    found = outcomes(running(), 1, [dropout(Answer.of(7, given.outputs))], PUBLISHED)
    assert found == {1: Outcome(2.0, False, None)}
