"""Train members of a study as tasks of a Ray cluster; the driver keeps their results."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray

from training.data import ImageSet
from training.stopping import Stop
from training.study.result import Result
from training.study.run import Engine, Job, Suite

LOOK_SECONDS = 0.5  # between two looks at whether to stop
RUNS_AGAIN = 10  # of a task whose node or process died; an exception of its own ends the study
PACKAGE = Path(__file__).parents[1]

_trainers: dict[tuple[str, str], Callable[[Job, Stop], Result]] = {}  # of one worker process


def engine(arguments: argparse.Namespace, data: ImageSet) -> Engine:
    """Return an engine on the cluster at `--ray`; each node needs the packages of requirements/ray.txt alone."""

    def train(suite: Suite, jobs: Sequence[Job], keep: Callable[[Job, Result], None], stop: Stop) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        package = {"py_modules": [str(PACKAGE)], "excludes": ["**/__pycache__"]}
        ray.init(address=arguments.ray, runtime_env=package, log_to_driver=False, configure_logging=False)
        try:
            images = ray.put(data)
            tasks = {member.remote(_chosen(arguments), images, job): job for job in jobs}
            while tasks:
                stop.check()
                done, _ = ray.wait(list(tasks), timeout=LOOK_SECONDS)
                for task in done:
                    keep(tasks.pop(task), ray.get(task))
        finally:
            ray.shutdown()

    return train


@ray.remote(num_cpus=1, max_retries=RUNS_AGAIN)
def member(arguments: dict[str, Any], data: ImageSet, job: Job) -> Result:
    """Train one member on one core; a worker process keeps its compiled loops for the next one."""
    key = repr(arguments), data.sha256
    if key not in _trainers:
        _trainers[key] = _trainer(arguments, data)
    return _trainers[key](job, Stop())


def _trainer(arguments: dict[str, Any], data: ImageSet) -> Callable[[Job, Stop], Result]:
    import tensorflow as tf

    from training.study.command import SUITES

    # Ray sets OMP_NUM_THREADS, which TensorFlow does not read.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    suite = SUITES[arguments["suite"]](argparse.Namespace(**arguments), data)
    return suite.trainer(suite.jobs)


def _chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments that decide what a member is."""
    return {name: getattr(arguments, name) for name in ("suite", "quick", "arms", "seeds", "epochs")}
