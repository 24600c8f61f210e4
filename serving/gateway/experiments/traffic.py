"""Answer requests of an experiment, and note how it went."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from serving.gateway.errors import GatewayError, Unavailable
from serving.gateway.experiments.assignment import Assignment
from serving.gateway.experiments.cache import Running
from serving.gateway.inference.fallback import Fallback
from serving.gateway.inference.prediction import PROBABILITIES, labels
from serving.gateway.inference.tf_serving.client import Answer
from serving.gateway.manifest import Manifest, Variant
from serving.gateway.store.exposures import Asked, Exposure

Said = tuple[str, float]  # a label, and the confidence in it


class Outcome(NamedTuple):
    """How asking one arm went: what it said of each image, None if it failed."""

    milliseconds: float
    said: Sequence[Said] | None


class Served(NamedTuple):
    """The answer that the client gets, and the arm, if it is one, and the variant that gave it."""

    arm: int | None
    variant: Variant
    answer: Answer
    said: list[Said]
    fallback: Fallback | None  # where it is not the assigned arm's


Outcomes = dict[int, Outcome]  # by arm


def serve(
    running: Running, assigned: int, manifest: Manifest, ask: Callable[[Variant], Answer]
) -> tuple[Served | GatewayError, Outcomes]:
    """Ask the assigned arm, and control where that fails, then the manifest's default, which need not be an arm.

    Return the answer, or the first error, and how it went with the arms.
    """
    outcomes: Outcomes = {}
    failure: GatewayError | None = None
    for arm in dict.fromkeys((assigned, running.control)):
        started = time.perf_counter()
        try:
            variant = manifest.variant(running.arms[arm])
            if variant is None:
                raise Unavailable(f"Variant {running.arms[arm]!r}, an arm of {running.name!r}, is not published.")
            answer = ask(variant)
        except GatewayError as error:
            outcomes[arm] = Outcome(_milliseconds_since(started), None)
            failure = failure or error
        else:
            told = said(answer, manifest)
            outcomes[arm] = Outcome(_milliseconds_since(started), told)
            return Served(arm, variant, answer, told, _fallback(running, assigned, failure)), outcomes
    assert failure is not None
    default = manifest.variant(manifest.default)
    if default is not None and default.name not in {running.arms[arm] for arm in outcomes}:
        with suppress(GatewayError):
            answer = ask(default)
            fallback = _fallback(running, assigned, failure)
            return Served(None, default, answer, said(answer, manifest), fallback), outcomes
    return failure, outcomes


def _fallback(running: Running, assigned: int, failure: GatewayError | None) -> Fallback | None:
    return Fallback(running.arms[assigned], failure.detail) if failure else None


def said(answer: Answer, manifest: Manifest) -> list[Said]:
    """Return the label and the confidence of each image."""
    confidences = answer.outputs[PROBABILITIES].max(axis=1).tolist()
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
    """Return what counts of one request to one arm."""
    milliseconds, said = outcome
    return Asked(arm, milliseconds, said is None, milliseconds > running.slow_ms)


def _milliseconds_since(started: float) -> float:
    return 1000 * (time.perf_counter() - started)
