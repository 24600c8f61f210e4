"""Ask the other arms of paired experiments about the same images, in the background and many images at a time."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from serving.gateway.errors import GatewayError
from serving.gateway.experiments.background import LAST_SECONDS, Background
from serving.gateway.experiments.cache import Running
from serving.gateway.experiments.traffic import Outcome, Outcomes, asked, said
from serving.gateway.inference import prediction
from serving.gateway.inference.tf_serving.client import ModelServer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import Manifest
from serving.gateway.store.exposures import Exposure
from serving.gateway.store.shadows import Answered

logger = logging.getLogger(__name__)

BATCH = 256  # images in one call, unless one request has more
MOST_WAITING = 4096  # images


@dataclass(frozen=True)
class Job:
    """A request whose images all arms are to see; `outcomes` are those of the arms that have."""

    running: Running
    manifest: Manifest
    images: Images
    outcomes: Outcomes
    exposure: Exposure
    prediction_ids: Sequence[str]


class Shadow:
    """A bounded queue of jobs, and the thread of this worker that asks; finished exposures go to `record`."""

    def __init__(self, server: ModelServer, record: Callable[[Exposure], None], dropped: Callable[[int], None]) -> None:
        """Prepare to ask `server`; `dropped` is called with the number of images that found no room."""
        self._server = server
        self._record = record
        self._dropped = dropped
        self._jobs: deque[Job] = deque()
        self._images = 0
        self._changed = threading.Condition()
        self._thread = Background("shadow", self._run)
        self._until = float("inf")

    def submit(self, job: Job) -> None:
        """Take a job, or drop it where too many wait: its exposure is then recorded, and no arm's request counted."""
        with self._changed:
            taken = self._images + job.images.count <= MOST_WAITING
            if taken:
                self._jobs.append(job)
                self._images += job.images.count
                self._changed.notify()
        if taken:
            self._thread.start()
        else:
            self._dropped(job.images.count)
            self._record(replace(job.exposure, asked=()))

    def close(self) -> None:
        """Ask about what waits, for LAST_SECONDS at most."""
        with self._changed:
            self._until = time.monotonic() + LAST_SECONDS
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next():
            try:
                self._ask(batch)
            except Exception:
                logger.exception("asking other arms failed")
                for job in batch:
                    self._record(replace(job.exposure, asked=()))

    def _next(self) -> list[Job]:
        """Wait for jobs and return those that go into one call; return none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._until < float("inf"))
            batch: list[Job] = []
            images = 0
            while self._jobs and time.monotonic() < self._until:
                job = self._jobs[0]
                if batch and (images + job.images.count > BATCH or job.manifest is not batch[0].manifest):
                    break
                images += job.images.count
                batch.append(self._jobs.popleft())
            self._images -= images
            return batch

    def _ask(self, batch: list[Job]) -> None:
        outcomes = [dict(job.outcomes) for job in batch]
        for variant in dict.fromkeys(variant for job in batch for variant in job.running.arms):
            lacking = [
                (job, known, job.running.arms.index(variant))
                for job, known in zip(batch, outcomes, strict=True)
                if variant in job.running.arms and job.running.arms.index(variant) not in known
            ]
            answers = self._outcomes(variant, [job for job, _, _ in lacking])
            for (_, known, arm), outcome in zip(lacking, answers, strict=True):
                known[arm] = outcome
        for job, known in zip(batch, outcomes, strict=True):
            self._record(_finished(job, known))

    def _outcomes(self, variant: str, jobs: list[Job]) -> list[Outcome]:
        """Ask one variant about the images of all `jobs` in one call, and return the outcome of each."""
        if not jobs:
            return []
        manifest, first = jobs[0].manifest, jobs[0].images
        counts = [job.images.count for job in jobs]
        images = Images(b"".join(job.images.pixels for job in jobs), sum(counts), first.height, first.width)
        started = time.perf_counter()
        known = manifest.variant(variant)
        try:
            every = said(prediction.predict(self._server, manifest, known, images), manifest) if known else None
        except GatewayError:
            every = None
        milliseconds = 1000 * (time.perf_counter() - started)
        if every is None:
            return [Outcome(milliseconds, None)] * len(jobs)
        rest = iter(every)
        return [Outcome(milliseconds, [next(rest) for _ in range(count)]) for count in counts]


def _finished(job: Job, outcomes: Outcomes) -> Exposure:
    """Return the job's exposure with what all arms said, where all did."""
    arms = range(len(job.running.arms))
    requests = tuple(asked(job.running, arm, outcomes[arm]) for arm in arms)
    by_arm = [said for arm in arms if (said := outcomes[arm].said) is not None]
    if len(by_arm) < len(arms) or not job.prediction_ids:
        return replace(job.exposure, asked=requests)
    size = job.images.height * job.images.width
    answered = tuple(
        Answered(f"{job.exposure.id}.{at}", of_image, answers, job.images.pixels[at * size : (at + 1) * size])
        for at, (of_image, answers) in enumerate(zip(job.prediction_ids, zip(*by_arm, strict=True), strict=True))
    )
    return replace(job.exposure, asked=requests, answered=answered)
