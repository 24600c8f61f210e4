"""Run experiments on a store, without a server: requests are made up; the gateway writes, counts and judges them."""

import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row

from serving.gateway.experiments import evidence, feedback, lifecycle, prediction_id, scorings
from serving.gateway.experiments.assignment import Assignment, Split
from serving.gateway.experiments.cache import Running, Watched
from serving.gateway.experiments.feedback import Feedback, FeedbackOutcome
from serving.gateway.experiments.judge import judge
from serving.gateway.experiments.lifecycle import Act
from serving.gateway.experiments.prediction_id import Exposed
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.experiments.traffic import Outcome, exposure
from serving.gateway.experiments.versions import follow
from serving.gateway.manifest import Manifest
from serving.gateway.store import experiments, exposures
from serving.gateway.store.exposures import Exposure
from serving.gateway.store.images import ImageAnswers
from serving.gateway.store.store import Store
from testing.manifest import MANIFEST, variant

ARMS = ("plain", "dropout", "l2")
CLASSES = tuple(map(str, range(10)))
SECRET = b"the same in all runs"
BY = Act("simulation")
SURE, MILLISECONDS = 0.9, 5.0
Answers = Sequence[str | None]  # by arm
NUMBERS = itertools.count(1)
KEPT = {FeedbackOutcome.STORED, FeedbackOutcome.REPLACED, FeedbackOutcome.KEPT}


def manifest(default: str = ARMS[0], **versions: int) -> Manifest:
    """Return a manifest of all ARMS, in version 1 unless given."""
    variants = [{**variant(name), "version": versions.get(name, 1)} for name in ARMS]
    return Manifest.model_validate({**MANIFEST, "default": default, "variants": variants})


def spec(*weights: float, **others: Any) -> dict[str, Any]:
    """Return an experiment with an arm for each weight, whose margin nothing can be within."""
    arms = [{"variant": name, "weight": weight} for name, weight in zip(ARMS, weights, strict=False)]
    return {"control": ARMS[0], "arms": arms, "margin": 1e-9, **others}


@contextmanager
def temporary_store() -> Iterator[Store]:
    """Give an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/experiments.db")
        yield store
        store.close()


class Trial:
    """One experiment, started when it is made; each request is one image, of a new unit."""

    def __init__(self, store: Store, given: dict[str, Any], published: Manifest | None = None) -> None:
        """Create and start an experiment by `spec`, under a new name."""
        self._store = store
        self._published = published or manifest()
        self.spec = ExperimentSpec.model_validate({"name": f"trial_{next(NUMBERS)}", **given})
        with self._write() as connection:
            lifecycle.create(connection, self.spec, BY)
        self.step("start")

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._store.write(hurried=True) as connection:
            yield connection

    def row(self) -> Row:
        """Return the experiment as the store has it."""
        with self._store.read() as connection:
            found = experiments.find(connection, self.spec.name)
        assert found is not None
        return found

    def running(self) -> Running:
        """Return the experiment in its present phase, as a worker knows it."""
        experiment = self.row()
        with self._store.read() as connection:
            phase = experiments.phases_of(connection, experiment.id)[-1]
        split = Split(phase.traffic, phase.weights, phase.traffic_salt, phase.arm_salt)
        return Running(
            experiment.id, self.spec.name, tuple(self.spec.variants), self.spec.variants.index(self.spec.control),
            self.spec.paired, self.spec.slow_ms, phase.number, phase.epoch, tuple(phase.versions), split,
        )  # fmt: skip

    def step(self, action: str) -> None:
        """Take a step of the life cycle."""
        with self._write() as connection:
            lifecycle.step(connection, self.spec.name, action, BY, manifest=self._published)

    def reweight(self, *weights: float) -> None:
        """Open a new phase with other weights."""
        with self._write() as connection:
            lifecycle.reweight(
                connection, self.spec.name, dict(zip(self.spec.variants, weights, strict=True)), None, BY
            )

    def publish(self, published: Manifest) -> None:
        """Have the experiment follow a new manifest."""
        running, self._published = self.running(), published
        versions = dict(zip(running.arms, running.versions, strict=True))
        follow(
            self._store,
            [Watched(running.id, running.name, running.phase, versions)],
            lambda: published,
            settle=0,
            back=0,
        )

    def send(self, assigned: Sequence[int], answers: Sequence[Answers]) -> list[str]:
        """Send an image each, for the arms `assigned`; `answers` are those of all arms, None for one that is dead.

        Control answers for a dead arm. Return the ids of the predictions.
        """
        running = self.running()
        sent, ids = [], []
        for arm, labels in zip(assigned, answers, strict=True):
            number = next(NUMBERS)  # of the image, and of its unit
            served = running.control if labels[arm] is None else arm
            shown, version = labels[served], running.versions[served]
            assert shown is not None and version is not None
            key, exposed = f"{number:024x}", Exposed(running.id, running.phase, number, arm, served, int(time.time()))
            ids += prediction_id.sign(SECRET, key, [shown], running.arms[served], version, exposed, [number])
            one = exposure(
                key, running, Assignment(arm, running.split.weights[arm], number), served,
                {arm: Outcome(MILLISECONDS, served != arm, None)}, images=1,
            )  # fmt: skip
            if running.paired:
                said = [None if label is None else (label, SURE) for label in labels]
                one = replace(one, answered=(ImageAnswers(ids[-1], number, said, b"pixels"),))
            sent.append(one)
        self.write(sent)
        return ids

    def write(self, sent: Sequence[Exposure]) -> None:
        """Write exposures, as the recorder does."""
        if not sent:
            return
        with self._write() as connection:
            of = {exposure.experiment_id for exposure in sent}
            exposures.lock(connection, of)
            exposures.write(connection, sent, scorings.alone(connection, of), SECRET)

    def label(self, labels: Mapping[str, str], source: str = "ground_truth") -> None:
        """Label predictions, given by id."""
        if labels:
            items = [Feedback(prediction, label, source) for prediction, label in labels.items()]
            with self._write() as connection:
                results = feedback.record(connection, SECRET, CLASSES, items)
            assert {result.outcome for result in results} <= KEPT, results

    def report(self) -> dict[str, Any]:
        """Return the report."""
        with self._store.read() as connection:
            return evidence.report(connection, self.row())

    def judge(self) -> str | None:
        """Judge the experiment; return the recommendation of its verdict, None without one."""
        judge(self._store, self.spec.name, self._published)
        verdict = self.row().verdict
        return verdict and verdict["recommendation"]
