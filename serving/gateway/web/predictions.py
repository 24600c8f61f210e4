"""Predict for requests of any protocol: prepare them, and compose the replies to those that are answered.

Its protocol says how a request asks, and how it is answered.
"""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from flask import Response

from serving.gateway.errors import GatewayError, Unprocessable
from serving.gateway.experiments import routing, traffic
from serving.gateway.experiments.cache import Snapshot
from serving.gateway.experiments.prediction_id import KEY_BYTES, Exposed, image_hash, sign
from serving.gateway.experiments.shadow import Job
from serving.gateway.imaging.uploads import Effort, Heavy
from serving.gateway.inference import prediction
from serving.gateway.inference.dispatch import Later
from serving.gateway.inference.fallback import PendingPrediction
from serving.gateway.inference.tf_serving.client import PLAIN
from serving.gateway.learning.keeper import Answered
from serving.gateway.manifest import Manifest, Variant
from serving.gateway.store.clients import kind_of
from serving.gateway.web.context import Gateway, RequestRecord, gateway
from serving.gateway.web.on_loop import answer_on_loop
from serving.gateway.web.parameters import read_unit
from serving.gateway.web.prediction_protocol import Asked, Predicted, Protocol, Received
from serving.gateway.web.replies import Reply
from serving.gateway.web.request import Request

logger = logging.getLogger(__name__)

TIME_BYTES = 6  # of a key


class Call(NamedTuple):
    """A request for predictions, its record and its protocol."""

    request: Request
    record: RequestRecord
    protocol: Protocol


@dataclass(slots=True, eq=False, kw_only=True)
class PredictCall(PendingPrediction):
    """A call on its way; `key` names it, and `arm` is None where no experiment chose the variant."""

    call: Call
    received: Received
    snapshot: Snapshot
    key: str
    unit: str
    arm: routing.ArmChoice | None


def respond(protocol: Protocol) -> Response:
    """Return the response to this Flask request."""
    gateway().experiments.cache.current()  # the first look waits for the store, for which the event loop must not
    return answer_on_loop(partial(answer, protocol=protocol))


async def answer(services: Gateway, request: Request, done: RequestRecord, protocol: Protocol) -> Reply:
    """Return the reply to a request whose body is whole; raise a GatewayError."""
    with services.in_flight:
        return await services.predictions.answer(Call(request, done, protocol))


def prepare(
    services: Gateway, calls: Sequence[Call], later: Later | None, effort: Effort
) -> Sequence[PredictCall | Exception | Later]:
    """Return each call with its pixels and the variants that may answer, or its error.

    Return HEAVY for images beyond `effort`, and UNSETTLED for a call whose experiment has to be looked up; where this
    is `later`, in a thread, take the time.
    """
    cache = services.experiments.cache
    try:
        manifest = services.manifest.current()
        snapshot = cache.look_up() if later is Later.UNSETTLED else cache.current()
    except GatewayError as error:
        return [type(error)(error.detail, error.faults) for _ in calls]
    return [_prepared(services, call, manifest, snapshot, later, effort) for call in calls]


def compose(services: Gateway, predictions: Sequence[PredictCall]) -> Sequence[Reply | Exception]:
    """Return the reply to each call, or its error; exposures are recorded and other arms asked in the background."""
    return [_composed(services, each) for each in predictions]


def _prepared(
    services: Gateway, call: Call, manifest: Manifest, snapshot: Snapshot, later: Later | None, effort: Effort
) -> PredictCall | Exception | Later:
    try:
        asked = call.protocol.asked(call.request, manifest)
        if later is None and not asked.uncertainty and routing.unsettled(snapshot, asked.variant, asked.experiment):
            return Later.UNSETTLED
        return _prepare(services, call, asked, manifest, snapshot, effort)
    except Heavy:
        return Later.HEAVY
    except GatewayError as error:
        return error.bare()
    except Exception as error:
        return error


def _prepare(
    services: Gateway, call: Call, asked: Asked, manifest: Manifest, snapshot: Snapshot, effort: Effort
) -> PredictCall:
    settings = services.settings
    unit = read_unit(call.request.headers.get("x-unit-id")) or call.record.id
    arm: routing.ArmChoice | None = None
    signature, samples, last_resort = PLAIN, None, None
    if asked.uncertainty:
        chosen = _sampled(manifest, snapshot, asked)
        signature, samples = prediction.UNCERTAINTY, settings.uncertainty_samples
        candidates = [chosen.name]
    else:
        choice = routing.choose(manifest, snapshot, asked.variant, asked.experiment, unit)
        if isinstance(choice, routing.ArmChoice):
            arm = choice
            candidates = traffic.candidates(choice.running, choice.assignment.arm, manifest)
        elif asked.variant is not None:
            candidates = [choice.name]
        else:
            candidates = list(dict.fromkeys((choice.name, manifest.default)))
            others = [other.name for other in manifest.variants if other.name != choice.name]
            last_resort = others[0] if choice.name == manifest.default and others else None
    charging = effort.charging(partial(services.admission.charge, call.request))
    received = call.protocol.read(call.request, manifest, settings, charging, signature)
    images = received.images
    call.record.images, call.record.variant = images.count, candidates[0]
    return PredictCall(
        manifest, images, candidates, signature, samples, time.monotonic() + settings.deadline_ms / 1000,
        call.record.span, last_resort, call=call, received=received, snapshot=snapshot, key=new_key(), unit=unit,
        arm=arm,
    )  # fmt: skip


def new_key() -> str:
    """Return a new key of one call, in the order of time, so that new rows lie side by side."""
    return ((time.time_ns() // 1_000_000).to_bytes(TIME_BYTES) + os.urandom(KEY_BYTES - TIME_BYTES)).hex()


def _sampled(manifest: Manifest, snapshot: Snapshot, asked: Asked) -> Variant:
    """Choose the variant for sampled dropout; refuse experiments, which compare without sampling."""
    if asked.experiment is not None:
        raise Unprocessable("An experiment compares answers without sampling: leave out experiment or uncertainty.")
    chosen = routing.named(manifest, asked.variant) if asked.variant else routing.default(manifest, snapshot)
    prediction.require_uncertainty(manifest, chosen)
    return chosen


def _composed(services: Gateway, each: PredictCall) -> Reply | Exception:
    try:
        return _reply(services, each) if each.arm is None else _expose(services, each, each.arm)
    except GatewayError as error:
        return type(error)(error.detail, error.faults)
    except Exception as error:
        logger.exception("a reply could not be composed")
        return error


def _expose(services: Gateway, each: PredictCall, arm: routing.ArmChoice) -> Reply:
    """Answer as an experiment says; record what happened, and have other arms asked."""
    running, assignment = arm
    served = traffic.served(running, assignment.arm, each.attempts)
    outcomes = traffic.outcomes(running, assignment.arm, each.attempts, each.manifest)
    by_another = traffic.answered_by_another(served, each.attempts)
    exposure = traffic.exposure(each.key, running, assignment, served, outcomes, each.images.count, by_another)
    exposed, hashes = None, list[int]()
    if served is not None:
        exposed = Exposed(running.id, running.phase, assignment.unit, assignment.arm, served, int(exposure.at),
                          kind_of(each.call.request.headers))  # fmt: skip
        hashes = _hashes(each)
    ids: list[str] = []
    try:
        reply = _reply(services, each, running.name if exposed else None, exposed, hashes, ids)
    finally:
        if running.paired:
            job = Job(running, each.manifest, each.images, outcomes, exposure, ids, hashes)
            services.experiments.shadow.submit(job)
        else:
            services.experiments.recorder.record(exposure)
    return reply


def _hashes(each: PredictCall) -> list[int]:
    """Return the hash of each image."""
    size, pixels = each.images.height * each.images.width, each.images.pixels
    secret = each.snapshot.signing_key or b""
    return [image_hash(secret, pixels[at : at + size]) for at in range(0, size * each.images.count, size)]


def _reply(
    services: Gateway,
    each: PredictCall,
    experiment: str | None = None,
    exposed: Exposed | None = None,
    hashes: Sequence[int] = (),
    ids: list[str] | None = None,
) -> Reply:
    """Return the reply, and put the predictions' ids into `ids`."""
    log, answer = each.call.record, each.answer
    labels = prediction.labels(answer, each.manifest)
    variant, fallback = each.attempts[-1].variant, each.fallback
    secret = each.snapshot.signing_key
    if secret is None:  # before the store has been reached once, ids take no feedback
        made = [f"{each.key}.{at}" for at in range(len(labels))]
    else:
        made = sign(secret, each.key, labels, variant, answer.version, exposed, hashes)
        if services.keeper.keeps:
            size = each.images.height * each.images.width
            services.keeper.keep(
                Answered(each.key, each.unit, variant, answer.version, labels, each.images.pixels, size)
            )  # fmt: skip
    if ids is not None:
        ids.extend(made)
    log.variant, log.version = variant, str(answer.version)
    reply = each.call.protocol.reply(
        Predicted(log.id, variant, answer, labels, made, experiment, fallback, each.received)
    )
    if fallback:
        reply.headers.append(("X-Fallback-For", fallback.instead_of))
    return reply
