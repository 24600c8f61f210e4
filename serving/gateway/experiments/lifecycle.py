"""Create, start, pause, resume, stop and archive experiments, and change their weights."""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from serving.gateway.errors import Conflict, NotFound, Unprocessable
from serving.gateway.experiments import layers
from serving.gateway.experiments.evidence import WITHDRAWN, report
from serving.gateway.experiments.spec import ExperimentSpec, check_weights
from serving.gateway.manifest import Manifest
from serving.gateway.store import events, promotions
from serving.gateway.store import experiments as rows
from serving.gateway.store.images import forget_pixels
from serving.gateway.store.store import hold

logger = logging.getLogger(__name__)

# By step: the states it starts from, and the state it leads to.
STEPS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "start": (("draft",), "running"),
    "pause": (("running",), "paused"),
    "resume": (("paused",), "running"),
    "stop": (rows.UNDER_WAY, "stopped"),
    "archive": (("draft", "stopped"), "archived"),
}
GATEWAY = "gateway"  # the author of automatic acts


@dataclass(frozen=True)
class Act:
    """The author of a change, the reason, and the id of the key that allowed it, if one did."""

    who: str
    reason: str | None = None
    key: str | None = None


def create(connection: Connection, spec: ExperimentSpec, act: Act, follows: int | None = None) -> None:
    """Create a draft; raise Conflict for a taken name. A hold-back `follows` an experiment."""
    hold(connection)
    if rows.find(connection, spec.name) is not None:
        raise Conflict(f"An experiment {spec.name!r} exists already; choose another name.")
    rows.create(connection, spec.model_dump(mode="json"), follows)
    rows.log(connection, act.who, "create", spec.name, act.reason, act.key)


def find(connection: Connection, name: str, *, hold: bool = False) -> Row:
    """Return the experiment called `name`; raise NotFound, which lists the existing names."""
    found = rows.find(connection, name, hold=hold)
    if found is None:
        raise missing(name, [row.name for row in rows.every(connection)])
    return found


def missing(name: str, names: list[str]) -> NotFound:
    """Return the error for an experiment that does not exist."""
    return NotFound(f"There is no experiment {name!r}; there are {', '.join(names[-20:]) or 'none'}.")


def step(
    connection: Connection, name: str, action: str, act: Act, decision: dict[str, Any] | None = None,
    manifest: Manifest | None = None,
) -> None:  # fmt: skip
    """Take one of STEPS; raise Conflict if it does not start from the experiment's state.

    A start notes the versions that `manifest` publishes.
    """
    found = find(connection, name, hold=True)
    sources, target = STEPS[action]
    if found.status not in sources:
        possible = [step for step, (sources, _) in STEPS.items() if found.status in sources]
        remedy = f"possible: {' or '.join(possible)}" if possible else "no step is possible any more"
        raise Conflict(f"Experiment {name!r} is {found.status}, so {action} is not possible; {remedy}.")
    values: dict[str, Any] = {"status": target}
    if action == "start":
        _open_first_phase(connection, found, manifest)
        values["started_at"] = time.time()
    elif action == "stop":
        values |= {"stopped_at": time.time(), "reason": act.reason, "decision": decision}
    elif action == "archive":
        forget_pixels(connection, found.id)
    rows.change(connection, found.id, **values)
    rows.log(connection, act.who, action, name, act.reason, act.key)
    if action == "start" and manifest and (obstacle := no_promotion(connection, found, manifest)):
        warn(connection, name, obstacle)


def _open_first_phase(connection: Connection, experiment: Row, manifest: Manifest | None) -> None:
    spec = ExperimentSpec.model_validate(experiment.spec)
    unknown: dict[str, int | None] = dict.fromkeys(spec.variants)
    versions = manifest.versions(unknown) if manifest else unknown
    there = layers.place(connection, experiment, spec.traffic)
    rows.open_phase(connection, experiment.id, spec.weights, spec.traffic, list(versions.values()), place=there)


def default_variant(connection: Connection, manifest: Manifest) -> str:
    """Return the name of the default variant: the promoted one, else the manifest's."""
    promoted = promotions.current(connection)
    return manifest.default_variant(promoted.variant if promoted else None).name


def no_promotion(connection: Connection, experiment: Row, manifest: Manifest) -> str | None:
    """Return why an experiment that is to promote its winner must not, None otherwise.

    A winner is better than control; how it compares with a default variant that is not control, nobody knows.
    """
    spec = ExperimentSpec.model_validate(experiment.spec)
    default = default_variant(connection, manifest)
    if spec.on_decision != "promote" or spec.control == default:
        return None
    return (
        f"Control {spec.control!r} is not the default variant, which is {default!r}: a verdict is kept, but promotes "
        "and stops nothing."
    )


def warn(connection: Connection, name: str, text: str) -> None:
    """Write a warning about an experiment to its log and to the gateway's."""
    logger.warning("experiment %s: %s", name, text)
    rows.log(connection, GATEWAY, "warning", name, text)


def withdraw_verdicts(connection: Connection, ids: Collection[int], reason: str) -> None:
    """Clear verdicts that rest on labels, so that locked experiments are judged anew; those acted on stay."""
    found = [rows.by_id(connection, experiment) for experiment in sorted(ids)]
    on_labels = [each for each in found if each.verdict and each.verdict["recommendation"] in WITHDRAWN]
    _clear_verdicts(connection, [each for each in on_labels if each.verdict != each.decision], reason)
    for each in on_labels:
        if each.verdict == each.decision:  # it has stopped the experiment
            text = f"verdict {each.verdict['recommendation']!r} stays, since it was acted on, though {reason}"
            if all(entry.reason != text for entry in rows.logged(connection, each.name)):
                warn(connection, each.name, text)


def _clear_verdicts(connection: Connection, found: Sequence[Row], reason: str) -> None:
    """Clear the verdicts of experiments, and tell each once: other labels may clear it at the same time."""
    cleared = rows.clear_verdicts(connection, [each.id for each in found])
    for each in found:
        if each.id in cleared:
            recommendation = each.verdict["recommendation"]
            text = f"verdict withdrawn: {recommendation!r}, since {reason}"
            logger.info("experiment %s: %s", each.name, text)
            rows.log(connection, GATEWAY, "withdraw", each.name, text)
            told = {"experiment": each.name, "recommendation": recommendation, "reason": reason}
            events.add(connection, "experiment.verdict_withdrawn", each.name, told)


def reweight(connection: Connection, name: str, weights: Mapping[str, float], traffic: float | None, act: Act) -> None:
    """Open a new phase with other weights; raise Conflict unless the experiment is running or paused.

    After an unhealthy phase all evidence starts anew, and a verdict on the earlier one is cleared.
    """
    found = find(connection, name, hold=True)
    if found.status not in rows.UNDER_WAY:
        raise Conflict(f"Experiment {name!r} is {found.status}; weights change while it is running or paused.")
    spec = ExperimentSpec.model_validate(found.spec)
    if set(weights) != set(spec.variants):
        raise Unprocessable(f"Give a weight to each of the arms {', '.join(spec.variants)}, and to no other.")
    in_order = [weights[variant] for variant in spec.variants]
    try:
        check_weights(in_order, spec.paired)
    except ValueError as error:
        raise Unprocessable(f"These weights cannot be used: {error}.") from error
    phase = rows.phases_of(connection, found.id)[-1]
    share = phase.traffic if traffic is None else traffic
    unhealthy = report(connection, found)["decision"]["recommendation"] == "unhealthy"
    there = layers.place(connection, found, share)
    rows.open_phase(connection, found.id, in_order, share, phase.versions, anew=unhealthy, place=there)
    rows.log(connection, act.who, "reweight", name, act.reason, act.key)
    if unhealthy and found.verdict:
        _clear_verdicts(connection, [found], "new weights after an unhealthy phase begin all evidence anew")
