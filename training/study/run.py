"""Train the members of a suite that have no result yet, one member a core."""

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from training.population import on_every_core
from training.study import result
from training.study.analysis.comparisons import Comparison
from training.study.result import Result

SECONDS_A_LINE = 30  # between lines of progress where standard error is no terminal


@dataclass(frozen=True)
class Job:
    """A member to train: its arm, its seed, and the fingerprint of everything that decides its result."""

    arm: str
    seed: int
    digest: str


@dataclass(frozen=True)
class Suite:
    """Arms that are trained on one image set and compared with each other.

    `trainer` takes the jobs to do and returns a function that does one of them, in any thread.
    """

    name: str
    titles: dict[str, str]  # of the arms, in order
    jobs: Sequence[Job]
    comparisons: Sequence[Comparison]
    labels: np.ndarray  # of the test images
    about: dict[str, Any]  # recipe and data, for readers of the results
    trainer: Callable[[Sequence[Job]], Callable[[Job, threading.Event], Result]]


def complete(suite: Suite, members: Path, stop: threading.Event) -> list[Result]:
    """Train the members whose results are not in the folder `members`; return all results in the order of the jobs."""
    files = {job: result.path(members, job.arm, job.seed, job.digest) for job in suite.jobs}
    missing = [job for job in suite.jobs if not files[job].is_file()]
    if missing:
        train = suite.trainer(missing)
        every = 0.5 if sys.stderr.isatty() else SECONDS_A_LINE
        with tqdm(
            total=len(files), initial=len(files) - len(missing), desc=suite.name, unit="member", mininterval=every,
            maxinterval=every, dynamic_ncols=True, smoothing=0.1,
        ) as bar:  # fmt: skip

            def run(job: Job) -> None:
                result.save(files[job], train(job, stop))
                bar.update()

            on_every_core(run, missing, stop)
    return [result.load(file) for file in files.values()]
