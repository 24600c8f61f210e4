"""Ask the other arms of paired experiments about the same images, in the background."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from serving.gateway.errors import GatewayError
from serving.gateway.experiments.background import LAST_SECONDS
from serving.gateway.experiments.cache import Running
from serving.gateway.experiments.traffic import Outcomes, asked, outcome
from serving.gateway.inference.batching import Batcher, Target, outcome_of
from serving.gateway.inference.fallback import Attempt
from serving.gateway.inference.prediction import check
from serving.gateway.inference.tf_serving.client import PLAIN, Answer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import Manifest
from serving.gateway.store.exposures import Exposure
from serving.gateway.store.images import ImageAnswers

logger = logging.getLogger(__name__)

MOST_WAITING = 4096  # images


@dataclass(frozen=True)
class Job:
    """A request whose images all arms are to see; `outcomes` are those of the arms that have seen them.

    `image_hashes` are those of the images of `prediction_ids`; there are none where no arm answered the client.
    """

    running: Running
    manifest: Manifest
    images: Images
    outcomes: Outcomes
    exposure: Exposure
    prediction_ids: Sequence[str]
    image_hashes: Sequence[int]


class Shadow:
    """The jobs of one event loop; finished exposures go to `record`."""

    def __init__(self, batcher: Batcher, record: Callable[[Exposure], None], dropped: Callable[[int], None]) -> None:
        """Prepare to ask by `batcher`; `dropped` is called with the number of images that found no room."""
        self._batcher = batcher
        self._record = record
        self._dropped = dropped
        self._images = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, job: Job) -> None:
        """Take a job, or drop it where too many wait: its exposure is then recorded as it is."""
        if self._images + job.images.count > MOST_WAITING:
            self._dropped(job.images.count)
            self._record(job.exposure)
            return
        self._images += job.images.count
        task = asyncio.get_running_loop().create_task(self._work(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Finish the jobs that wait, for LAST_SECONDS at most; record the others as dropped."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LAST_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _work(self, job: Job) -> None:
        try:
            self._record(_finished(job, await self._ask(job)))
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, Exception):
                logger.exception("asking other arms failed")
            self._record(job.exposure)
        finally:
            self._images -= job.images.count

    async def _ask(self, job: Job) -> Outcomes:
        """Ask all arms but the assigned one, also control where it stood in for that: it had less time then."""
        others = [
            arm
            for arm, variant in enumerate(job.running.arms)
            if arm != job.exposure.assigned and job.manifest.variant(variant)
        ]
        attempts = await asyncio.gather(*(self._attempt(job, job.running.arms[arm]) for arm in others))
        return {
            arm: outcome(job.running, arm, attempt, job.manifest) for arm, attempt in zip(others, attempts, strict=True)
        }

    async def _attempt(self, job: Job, variant: str) -> Attempt:
        started = time.perf_counter()
        ask = await self._batcher.ask(Target(variant, PLAIN, background=True), job.images)
        milliseconds = 1000 * (time.perf_counter() - started)
        found: Answer | GatewayError
        try:
            found = outcome_of(ask)
            check(found, job.manifest, variant, job.images.count)
        except GatewayError as error:
            found = error
        return Attempt(variant, milliseconds, found, ask.call)


def _finished(job: Job, background: Outcomes) -> Exposure:
    """Return the job's exposure with the requests in the background, and the answers."""
    requests = (asked(job.running, arm, found, shadow=True) for arm, found in background.items())
    return replace(job.exposure, asked=(*job.exposure.asked, *requests), answered=_answered(job, background))


def _answered(job: Job, background: Outcomes) -> tuple[ImageAnswers, ...]:
    """Return the answers of all arms about each image, None for an arm without one; none below two answers."""
    by_arm = []
    for arm in range(len(job.running.arms)):
        found = (outcomes[arm].said for outcomes in (job.outcomes, background) if arm in outcomes)
        by_arm.append(next(filter(None, found), None))
    if sum(said is not None for said in by_arm) < 2 or not (job.prediction_ids and job.image_hashes):
        return ()
    size = job.images.height * job.images.width
    return tuple(
        ImageAnswers(
            of_image, digest, tuple(None if said is None else said[at] for said in by_arm),
            job.images.pixels[at * size : (at + 1) * size],
        )
        for at, (of_image, digest) in enumerate(zip(job.prediction_ids, job.image_hashes, strict=True))
    )  # fmt: skip
