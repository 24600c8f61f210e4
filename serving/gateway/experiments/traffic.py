"""Note how requests of an experiment went."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from serving.gateway.experiments.assignment import Assignment
from serving.gateway.experiments.live import Running
from serving.gateway.inference.fallback import Attempt
from serving.gateway.inference.prediction import labels
from serving.gateway.inference.tf_serving.client import Answer
from serving.gateway.manifest import Manifest
from serving.gateway.store.exposures import Asked, Exposure

Said = tuple[str, float]  # a label, and the confidence in it


class Outcome(NamedTuple):
    """How asking one arm went: its label and confidence for each image, None if it failed."""

    milliseconds: float
    said: Sequence[Said] | None


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
        arm: Outcome(attempt.milliseconds, said(attempt.outcome, manifest))
        for arm, attempt in zip(turns(running, assigned), attempts, strict=False)
    }


def served(running: Running, assigned: int, attempts: Sequence[Attempt]) -> int | None:
    """Return the arm whose answer the client gets, None if no arm answered."""
    arms = turns(running, assigned)
    answered = isinstance(attempts[-1].outcome, Answer) and len(attempts) <= len(arms)
    return arms[len(attempts) - 1] if answered else None


def said(answer: object, manifest: Manifest) -> list[Said] | None:
    """Return the label and the confidence of each image, None for an error."""
    if not isinstance(answer, Answer):
        return None
    confidences = answer.confidences.tolist()
    return list(zip(labels(answer, manifest), confidences, strict=True))


def exposure(
    key: str, running: Running, assignment: Assignment, served: int | None, outcomes: Outcomes, images: int
) -> Exposure:
    """Return the exposure of one request, which counts the request to the assigned arm."""
    first = outcomes[assignment.arm]
    return Exposure(
        id=key, experiment_id=running.id, phase=running.phase, unit=assignment.unit, assigned=assignment.arm,
        served=served, propensity=assignment.propensity, images=images, milliseconds=first.milliseconds,
        failed=first.said is None, at=time.time(), asked=(asked(running, assignment.arm, first),),
    )  # fmt: skip


def asked(running: Running, arm: int, outcome: Outcome) -> Asked:
    """Return the counts of one request to one arm."""
    milliseconds, said = outcome
    return Asked(arm, milliseconds, said is None, milliseconds > running.slow_ms)
