"""Note how requests of an experiment went."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from serving.gateway.errors import GatewayError
from serving.gateway.experiments.assignment import Assignment
from serving.gateway.experiments.cache import Running
from serving.gateway.inference.batching import ModelCall
from serving.gateway.inference.fallback import Attempt
from serving.gateway.inference.prediction import labels
from serving.gateway.inference.tf_serving.client import Answer
from serving.gateway.manifest import Manifest
from serving.gateway.store.exposures import Asked, Exposure

Said = tuple[str, float]  # a label, and the confidence in it


class Outcome(NamedTuple):
    """How asking one arm went.

    `said` is its label and confidence for each image. It is None if the arm failed, answered in a version that is not
    the phase's, or gave a confidence that is not a finite number. `call` is the call to the model server in which the
    request travelled, None without one.
    """

    milliseconds: float
    failed: bool
    said: Sequence[Said] | None
    call: ModelCall | None = None


Outcomes = dict[int, Outcome]  # by arm


def turns(running: Running, assigned: int) -> list[int]:
    """Return the arms that are asked in turn: the assigned one, then control."""
    return list(dict.fromkeys((assigned, running.control)))


def candidates(running: Running, assigned: int, manifest: Manifest) -> list[str]:
    """Return the variants that may answer in turn: those of the arms, then the manifest's default."""
    arms = [running.arms[arm] for arm in turns(running, assigned)]
    return list(dict.fromkeys((*arms, manifest.default)))


def outcomes(running: Running, assigned: int, attempts: Sequence[Attempt], manifest: Manifest) -> Outcomes:
    """Return how it went with the arms that were asked."""
    return {
        arm: outcome(running, arm, attempt, manifest)
        for arm, attempt in zip(turns(running, assigned), attempts, strict=False)
    }


def outcome(running: Running, arm: int, attempt: Attempt, manifest: Manifest) -> Outcome:
    """Return how one attempt to ask an arm went."""
    answer = attempt.outcome
    said = None
    if isinstance(answer, Answer) and _is_evidence(answer, running.versions[arm]):
        said = list(zip(labels(answer, manifest), answer.confidences.tolist(), strict=True))
    return Outcome(attempt.milliseconds, isinstance(answer, GatewayError), said, attempt.call)


def served(running: Running, assigned: int, attempts: Sequence[Attempt]) -> int | None:
    """Return the arm whose answer the client gets, None if no arm answered."""
    arms = turns(running, assigned)
    answered = isinstance(attempts[-1].outcome, Answer) and len(attempts) <= len(arms)
    return arms[len(attempts) - 1] if answered else None


def answered_by_another(served: int | None, attempts: Sequence[Attempt]) -> bool:
    """Say whether the client gets the answer of a variant that is no arm: of the manifest's default."""
    return served is None and isinstance(attempts[-1].outcome, Answer)


def exposure(
    key: str, running: Running, assignment: Assignment, served: int | None, outcomes: Outcomes, images: int,
    by_another: bool = False,
) -> Exposure:  # fmt: skip
    """Return the exposure of one request, which counts the request to the assigned arm.

    A request to control in its place does not count: it had less time than others.
    """
    first = outcomes[assignment.arm]
    return Exposure(
        id=key, experiment_id=running.id, phase=running.phase, epoch=running.epoch, unit=assignment.unit,
        assigned=assignment.arm, served=served, propensity=assignment.propensity, images=images,
        milliseconds=first.milliseconds, failed=first.failed, at=time.time(),
        asked=(asked(running, assignment.arm, first, shadow=False),), by_another=by_another,
    )  # fmt: skip


def asked(running: Running, arm: int, outcome: Outcome, *, shadow: bool) -> Asked:
    """Return the counts of one request to one arm; `shadow` requests are those in the background.

    Of the faulty requests of one call to the model server, only the first is a case. A request without a call is none:
    it waited behind a call that hung, or the circuit was open, and the calls that brought this about are cases.
    """
    slow, call = outcome.milliseconds > running.slow_ms, outcome.call
    new_call = call is not None and call.carry(running.id)
    case = call is not None and (outcome.failed or slow) and call.charge(running.id)
    return Asked(arm, outcome.milliseconds, outcome.failed, slow, shadow, case, new_call)


def _is_evidence(answer: Answer, version: int | None) -> bool:
    """Say whether an answer is in the phase's version, if it has one, and its confidences are numbers."""
    return version in (None, answer.version) and bool(np.isfinite(answer.confidences).all())
