"""Show experiments."""

from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection, Row

from serving.gateway import moments
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store import experiments as rows

KEY = "The id of the key that allowed it, `admin` for the administrators' token; null for the gateway's own acts"


class LogEntry(BaseModel):
    """An entry of the log."""

    at: str
    who: str = Field(description="The author, as the caller says; `gateway` for what it does by itself")
    key: str | None = Field(description=KEY)
    action: str
    reason: str | None


class Phase(BaseModel):
    """A phase of an experiment, with one set of weights."""

    number: int
    weights: list[float]
    traffic: float
    started_at: str
    epoch: int = Field(description="The first phase with these versions: evidence on other versions does not count")
    versions: list[int | None] = Field(description="The version of each arm; null until known")


class ExperimentAnswer(ExperimentSpec):
    """An experiment and its state."""

    follows: str | None = Field(description="Of a hold-back: the experiment whose promotion it watches")
    status: str = Field(description="draft, running, paused, stopped or archived")
    phase: int
    created_at: str
    started_at: str | None
    stopped_at: str | None
    reason: str | None = Field(description="The reason for its stop")
    decision: dict[str, Any] | None = Field(description="The recommendation at its stop")
    verdict: dict[str, Any] | None = Field(description="The first verdict")
    phases: list[Phase]
    log: list[LogEntry]


class ExperimentsAnswer(BaseModel):
    """All experiments, the oldest first."""

    experiments: list[dict[str, Any]]


def summary(row: Row, follows: str | None = None) -> dict[str, Any]:
    """Return an experiment as in the list; a hold-back with the experiment that it follows."""
    return {
        **row.spec,
        "follows": follows,
        **{name: getattr(row, name) for name in ("status", "phase", "reason", "decision", "verdict")},
        **{name: moment(getattr(row, name)) for name in ("created_at", "started_at", "stopped_at")},
    }


def show(connection: Connection, row: Row) -> dict[str, Any]:
    """Return an experiment with its phases and log."""
    phases: list[dict[str, Any]] = [
        {
            "number": p.number,
            "weights": p.weights,
            "traffic": p.traffic,
            "started_at": moment(p.started_at),
            "epoch": p.epoch,
            "versions": p.versions,
        }
        for p in rows.phases_of(connection, row.id)
    ]
    follows = None if row.follows is None else rows.by_id(connection, row.follows).name
    return {**summary(row, follows), "phases": phases, "log": _entries(rows.logged(connection, row.name))}


def _entries(logged: Any) -> list[dict[str, Any]]:
    return [{"at": moment(e.at), "who": e.who, "key": e.key, "action": e.action, "reason": e.reason} for e in logged]


def moment(seconds: float | None) -> str | None:
    """Return a time in ISO 8601, None for none."""
    return None if seconds is None else moments.written(seconds)
