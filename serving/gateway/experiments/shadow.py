"""Ask the other arms of paired experiments about the same images, in the background."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from serving.gateway.errors import GatewayError
from serving.gateway.experiments.background import LAST_SECONDS
from serving.gateway.experiments.cache import Running
from serving.gateway.experiments.traffic import Outcome, Outcomes, asked, said
from serving.gateway.inference.batching import Batcher
from serving.gateway.inference.prediction import predict
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import Manifest
from serving.gateway.store.exposures import Exposure
from serving.gateway.store.shadows import ShadowAnswers

logger = logging.getLogger(__name__)

MOST_WAITING = 4096  # images


@dataclass(frozen=True)
class Job:
    """A request whose images all arms are to see; `outcomes` are those of the arms that have seen them."""

    running: Running
    manifest: Manifest
    images: Images
    outcomes: Outcomes
    exposure: Exposure
    prediction_ids: Sequence[str]


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
        """Take a job, or drop it where too many wait: its exposure is then recorded, and no arm's request counted."""
        if self._images + job.images.count > MOST_WAITING:
            self._dropped(job.images.count)
            self._record(replace(job.exposure, asked=()))
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
            self._record(replace(job.exposure, asked=()))
        finally:
            self._images -= job.images.count

    async def _ask(self, job: Job) -> Outcomes:
        """Return the outcomes of all arms."""
        lacking = [arm for arm in range(len(job.running.arms)) if arm not in job.outcomes]
        found = await asyncio.gather(*(self._outcome(job, job.running.arms[arm]) for arm in lacking))
        return {**job.outcomes, **dict(zip(lacking, found, strict=True))}

    async def _outcome(self, job: Job, variant: str) -> Outcome:
        started = time.perf_counter()
        answers = None
        if job.manifest.variant(variant):
            try:
                answer = await predict(self._batcher, job.manifest, variant, job.images, background=True)
                answers = said(answer, job.manifest)
            except GatewayError:
                answers = None
        return Outcome(1000 * (time.perf_counter() - started), answers)


def _finished(job: Job, outcomes: Outcomes) -> Exposure:
    """Return the job's exposure with the answers of all arms, where all answered."""
    arms = range(len(job.running.arms))
    requests = tuple(asked(job.running, arm, outcomes[arm]) for arm in arms)
    by_arm = [said for arm in arms if (said := outcomes[arm].said) is not None]
    if len(by_arm) < len(arms) or not job.prediction_ids:
        return replace(job.exposure, asked=requests)
    size = job.images.height * job.images.width
    answered = tuple(
        ShadowAnswers(f"{job.exposure.id}.{at}", of_image, answers, job.images.pixels[at * size : (at + 1) * size])
        for at, (of_image, answers) in enumerate(zip(job.prediction_ids, zip(*by_arm, strict=True), strict=True))
    )
    return replace(job.exposure, asked=requests, answered=answered)
