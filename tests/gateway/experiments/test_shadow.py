"""The other arms are asked in the background; a model server that is made up answers."""

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from serving.gateway.errors import GatewayError, Unavailable
from serving.gateway.experiments import shadow
from serving.gateway.experiments.assignment import Assignment, Split
from serving.gateway.experiments.cache import Running
from serving.gateway.experiments.shadow import Job, Shadow
from serving.gateway.experiments.traffic import Outcome, exposure
from serving.gateway.inference.batching import Ask, Batcher, ModelCall, Target
from serving.gateway.inference.tf_serving.client import PROBABILITIES, Answer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import Manifest
from serving.gateway.store.exposures import Asked, Exposure
from testing.manifest import MANIFEST, variant

ARMS = ("plain", "dropout", "l2")
PLAIN, DROPOUT, L2 = range(3)
PUBLISHED = Manifest.model_validate({**MANIFEST, "variants": [variant(name) for name in ARMS]})
RUNNING = Running(1, "test", ARMS, PLAIN, True, 1e9, 1, 1, (7, 7, 7), Split(1.0, (0.4, 0.3, 0.3), "in", "arm"))
IMAGES = Images(bytes([1]) * 784 + bytes([2]) * 784, 2, 28, 28)
FAILED = Outcome(5.0, True, None)
IDS, HASHES = ("one", "two"), (11, 22)


def answer(*digits: int, version: int = 7) -> Answer:
    return Answer.of(version, {PROBABILITIES: np.eye(10, dtype=np.float32)[list(digits)]})


def said(*digits: int) -> Outcome:
    return Outcome(5.0, False, [(str(digit), 1.0) for digit in digits])


class MadeUp(Batcher):
    """Ends each request at once, as `outcomes` by model say; requests to one model travel in one call."""

    def __init__(self, outcomes: Mapping[str, Answer | GatewayError]) -> None:
        self.asked: list[Target] = []
        self._outcomes = outcomes
        self._shared = {model: ModelCall() for model in outcomes}

    async def ask(self, target: Target, images: Images, timeout: float | None = None, span: Any = None) -> Ask:
        self.asked.append(target)
        return Ask(images, 0.0, span, lambda _: None, self._outcomes[target.model], self._shared[target.model])


def job(
    assigned: int, outcomes: dict[int, Outcome], ids: tuple[str, ...] = IDS, manifest: Manifest = PUBLISHED,
    hashes: tuple[int, ...] = HASHES,
) -> Job:  # fmt: skip
    made = exposure("key", RUNNING, Assignment(assigned, 0.4, 5), assigned, outcomes, images=2)
    return Job(RUNNING, manifest, IMAGES, outcomes, made, ids, hashes)


def finished(batcher: Batcher, *jobs: Job) -> list[Exposure]:
    """Return the exposures of jobs that are submitted one after the other."""
    recorded: list[Exposure] = []

    async def run() -> None:
        under_test = Shadow(batcher, recorded.append, lambda images: None)
        for each in jobs:
            under_test.submit(each)
        await under_test.finish()

    asyncio.run(run())
    return recorded


def background(found: Exposure) -> list[Asked]:
    return [each for each in found.asked if each.shadow]


def test_all_other_arms_are_asked_in_the_background_and_all_answers_kept() -> None:
    batcher = MadeUp({"plain": answer(3, 4), "l2": answer(3, 5)})
    (found,) = finished(batcher, job(DROPOUT, {DROPOUT: said(3, 4)}))
    assert {(target.model, target.background) for target in batcher.asked} == {("plain", True), ("l2", True)}
    assert [(each.arm, each.shadow) for each in found.asked] == [(DROPOUT, False), (PLAIN, True), (L2, True)]
    first, second = found.answered
    assert (first.prediction_id, first.image, first.pixels) == ("one", 11, bytes([1]) * 784)
    assert first.answers == (("3", 1.0), ("3", 1.0), ("3", 1.0))
    assert (second.prediction_id, second.image, second.pixels) == ("two", 22, bytes([2]) * 784)
    assert second.answers == (("4", 1.0), ("4", 1.0), ("5", 1.0))


@pytest.mark.parametrize(
    ("outcome", "failed"), [(Unavailable("gone"), True), (answer(3), True), (answer(3, 4, version=8), False)]
)
def test_an_arm_without_a_usable_answer_leaves_the_others_comparable(
    outcome: Answer | GatewayError, failed: bool
) -> None:
    """It fails, answers about too few images, or in a version that is not the phase's."""
    batcher = MadeUp({"plain": answer(3, 4), "l2": outcome})
    (found,) = finished(batcher, job(DROPOUT, {DROPOUT: said(3, 5)}))
    assert [each.answers for each in found.answered] == [
        (("3", 1.0), ("3", 1.0), None), (("4", 1.0), ("5", 1.0), None),
    ]  # fmt: skip
    assert [(each.arm, each.failed) for each in background(found)] == [(PLAIN, False), (L2, failed)]


def test_one_answer_compares_with_nothing() -> None:
    batcher = MadeUp({"plain": Unavailable("gone"), "l2": Unavailable("gone")})
    (found,) = finished(batcher, job(DROPOUT, {DROPOUT: said(3, 4)}))
    assert found.answered == ()
    assert [each.failed for each in background(found)] == [True, True]


@pytest.mark.parametrize(("ids", "hashes"), [((), ()), ((), HASHES), (IDS, ())])
def test_where_no_arm_answered_the_client_nothing_can_be_labelled(
    ids: tuple[str, ...], hashes: tuple[int, ...]
) -> None:
    """Nobody did, or the default variant, which is no arm and gives ids that belong to no experiment."""
    batcher = MadeUp({"plain": answer(3, 4), "l2": answer(3, 4)})
    (found,) = finished(batcher, job(DROPOUT, {DROPOUT: FAILED}, ids=ids, hashes=hashes))
    assert found.answered == ()
    assert [each.arm for each in background(found)] == [PLAIN, L2]


def test_control_that_stood_in_is_asked_again_and_charged_for_that_alone() -> None:
    batcher = MadeUp({"plain": Unavailable("gone"), "l2": answer(6, 6)})
    (found,) = finished(batcher, job(DROPOUT, {DROPOUT: FAILED, PLAIN: said(3, 4)}))
    assert [(each.arm, each.failed, each.shadow) for each in found.asked] == [
        (DROPOUT, True, False), (PLAIN, True, True), (L2, False, True),
    ]  # fmt: skip
    assert [each.answers for each in found.answered] == [
        (("3", 1.0), None, ("6", 1.0)), (("4", 1.0), None, ("6", 1.0)),
    ]  # fmt: skip


def test_a_variant_that_is_not_published_is_not_asked() -> None:
    manifest = Manifest.model_validate({**MANIFEST, "variants": [variant("plain"), variant("dropout")]})
    batcher = MadeUp({"plain": answer(3, 4)})
    (found,) = finished(batcher, job(DROPOUT, {DROPOUT: said(3, 4)}, manifest=manifest))
    assert [each.arm for each in background(found)] == [PLAIN]
    assert [each.answers[L2] for each in found.answered] == [None, None]


def test_requests_that_failed_in_one_call_are_one_case() -> None:
    batcher = MadeUp({"plain": answer(3, 4), "l2": Unavailable("gone")})
    found = finished(batcher, *[job(DROPOUT, {DROPOUT: said(3, 4)}) for _ in range(3)])
    of_l2 = [each for one in found for each in background(one) if each.arm == L2]
    of_plain = [each for one in found for each in background(one) if each.arm == PLAIN]
    assert (sum(each.case for each in of_l2), sum(each.new_call for each in of_l2)) == (1, 1)
    assert (sum(each.case for each in of_plain), sum(each.new_call for each in of_plain)) == (0, 1)


def test_a_job_without_room_is_recorded_with_the_request_that_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "MOST_WAITING", 1)
    dropped: list[int] = []
    recorded: list[Exposure] = []
    full = job(DROPOUT, {DROPOUT: said(3, 4)})
    Shadow(MadeUp({}), recorded.append, dropped.append).submit(full)
    assert (recorded, dropped) == ([full.exposure], [2])
    assert [(each.arm, each.shadow) for each in full.exposure.asked] == [(DROPOUT, False)]
