"""Read how the labels and answers of experiments are scored, phase by phase."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from serving.gateway.experiments.spec import ExperimentSpec, volunteers
from serving.gateway.store import experiments
from serving.gateway.store.scoring import Scoring


@dataclass(frozen=True)
class PhaseScoring:
    """The scoring of one phase, its epoch, and the versions of its arms, None for unknown ones."""

    scoring: Scoring
    epoch: int
    versions: list[int | None]


def read(connection: Connection, ids: Collection[int]) -> dict[int, dict[int, PhaseScoring]]:
    """Return the scorings of these experiments, by experiment and phase."""
    found: dict[int, dict[int, PhaseScoring]] = {each: {} for each in ids}
    for row in experiments.phases_with_specs(connection, ids):
        spec = ExperimentSpec.model_validate(row.spec)
        scoring = Scoring(
            len(spec.arms), spec.variants.index(spec.control), spec.paired, volunteers(row.weights, spec)
        )  # fmt: skip
        found[row.experiment_id][row.number] = PhaseScoring(scoring, row.epoch, row.versions)
    return found


def alone(connection: Connection, ids: Collection[int]) -> dict[int, dict[int, Scoring]]:
    """Return the scorings of these experiments without epochs and versions, by experiment and phase."""
    return {experiment: by_phase(phases) for experiment, phases in read(connection, ids).items()}


def by_phase(phases: Mapping[int, PhaseScoring]) -> dict[int, Scoring]:
    """Return the scorings of one experiment without epochs and versions."""
    return {number: phase.scoring for number, phase in phases.items()}
