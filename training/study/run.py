"""Train the members of a suite that have no result yet, one member a core."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from training.population import on_every_core
from training.stopping import Stop
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
    trainer: Callable[[Sequence[Job]], Callable[[Job, Stop], Result]]


# Trains jobs of a suite, and calls back with each result, until it is asked to stop.
Engine = Callable[[Suite, Sequence[Job], Callable[[Job, Result], None], Stop], None]


def on_this_machine(suite: Suite, jobs: Sequence[Job], keep: Callable[[Job, Result], None], stop: Stop) -> None:
    """Train on every core of this machine."""
    train = suite.trainer(jobs)
    on_every_core(lambda job: keep(job, train(job, stop)), jobs, stop)


def train_missing(
    suite: Suite, jobs: Sequence[Job], members: Path, stop: Stop, engine: Engine = on_this_machine
) -> None:
    """Train those of the jobs whose results are not in the folder `members`."""
    files = _files(jobs, members)
    if not (missing := _missing(files)):
        return
    with result.locked(members.parent, [files[job] for job in missing]):
        missing = _missing(files)  # another process may have trained some before it gave them free
        every = 0.5 if sys.stderr.isatty() else SECONDS_A_LINE
        with tqdm(
            total=len(files), initial=len(files) - len(missing), desc=suite.name, unit="member", mininterval=every,
            maxinterval=every, dynamic_ncols=True, smoothing=0.1,
        ) as bar:  # fmt: skip

            def keep(job: Job, trained: Result) -> None:
                result.save(files[job], trained)
                bar.update()

            engine(suite, missing, keep, stop)


def results(suite: Suite, members: Path) -> list[Result]:
    """Return all results in the order of the jobs; raise ValueError where some are missing."""
    files = _files(suite.jobs, members)
    if missing := _missing(files):
        raise ValueError(
            f"{members}: {len(missing)} of {len(files)} members are missing, such as {missing[0].arm}, seed "
            f"{missing[0].seed}; train them by their --shard, or all without --merge"
        )
    return [result.load(file) for file in files.values()]


def _files(jobs: Sequence[Job], members: Path) -> dict[Job, Path]:
    return {job: result.path(members, job.arm, job.seed, job.digest) for job in jobs}


def _missing(files: dict[Job, Path]) -> list[Job]:
    return [job for job, file in files.items() if not file.is_file()]
