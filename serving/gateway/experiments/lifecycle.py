"""Create, start, pause, resume, stop and archive experiments, and change their weights."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from serving.gateway.errors import Conflict, NotFound, Unprocessable
from serving.gateway.experiments.spec import ExperimentSpec, check_weights
from serving.gateway.store import experiments as rows
from serving.gateway.store.store import hold

# By step: the states it starts from, and the state it leads to.
STEPS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "start": (("draft",), "running"),
    "pause": (("running",), "paused"),
    "resume": (("paused",), "running"),
    "stop": (("running", "paused"), "stopped"),
    "archive": (("draft", "stopped"), "archived"),
}
GATEWAY = "gateway"  # the author of automatic acts


@dataclass(frozen=True)
class Act:
    """The author of a change, and the reason."""

    who: str
    reason: str | None = None


def create(connection: Connection, spec: ExperimentSpec, act: Act) -> None:
    """Create a draft; raise Conflict for a taken name."""
    hold(connection)
    if rows.find(connection, spec.name) is not None:
        raise Conflict(f"An experiment {spec.name!r} exists already; choose another name.")
    rows.create(connection, spec.model_dump(mode="json"))
    rows.log(connection, act.who, "create", spec.name, act.reason)


def find(connection: Connection, name: str, *, hold: bool = False) -> Row:
    """Return the experiment called `name`; raise NotFound, which lists the existing names."""
    found = rows.find(connection, name, hold=hold)
    if found is None:
        raise missing(name, [row.name for row in rows.every(connection)])
    return found


def missing(name: str, names: list[str]) -> NotFound:
    """Return the error for an experiment that does not exist."""
    return NotFound(f"There is no experiment {name!r}; there are {', '.join(names[-20:]) or 'none'}.")


def step(connection: Connection, name: str, action: str, act: Act, decision: dict[str, Any] | None = None) -> None:
    """Take one of STEPS; raise Conflict if it does not start from the experiment's state."""
    found = find(connection, name, hold=True)
    sources, target = STEPS[action]
    if found.status not in sources:
        possible = [step for step, (sources, _) in STEPS.items() if found.status in sources]
        remedy = f"possible: {' or '.join(possible)}" if possible else "no step is possible any more"
        raise Conflict(f"Experiment {name!r} is {found.status}, so {action} is not possible; {remedy}.")
    values: dict[str, Any] = {"status": target}
    if action == "start":
        spec = ExperimentSpec.model_validate(found.spec)
        rows.open_phase(connection, found.id, spec.weights, spec.traffic)
        values["started_at"] = time.time()
    elif action == "stop":
        values |= {"stopped_at": time.time(), "reason": act.reason, "decision": decision}
    rows.change(connection, found.id, **values)
    rows.log(connection, act.who, action, name, act.reason)


def reweight(connection: Connection, name: str, weights: Mapping[str, float], traffic: float | None, act: Act) -> None:
    """Open a new phase with other weights; raise Conflict unless the experiment is running or paused."""
    found = find(connection, name, hold=True)
    if found.status not in ("running", "paused"):
        raise Conflict(f"Experiment {name!r} is {found.status}; weights change while it is running or paused.")
    spec = ExperimentSpec.model_validate(found.spec)
    if set(weights) != set(spec.variants):
        raise Unprocessable(f"Give a weight to each of the arms {', '.join(spec.variants)}, and to no other.")
    in_order = [weights[variant] for variant in spec.variants]
    try:
        check_weights(in_order, spec.paired)
    except ValueError as error:
        raise Unprocessable(f"These weights cannot be used: {error}.") from error
    share = rows.phases_of(connection, found.id)[-1].traffic if traffic is None else traffic
    rows.open_phase(connection, found.id, in_order, share)
    rows.log(connection, act.who, "reweight", name, act.reason)
