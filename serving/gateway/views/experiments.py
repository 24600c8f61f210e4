"""/experiments: create, list and show experiments, and take the steps of their life cycle."""

from typing import Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import Connection
from werkzeug.routing import BaseConverter

from serving.gateway import errors
from serving.gateway.access.roles import security
from serving.gateway.errors import Unprocessable, pointer
from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.evidence import report
from serving.gateway.experiments.lifecycle import GATEWAY, Act
from serving.gateway.experiments.spec import NO_NUL, ExperimentSpec, Share, Text
from serving.gateway.store import experiments as rows
from serving.gateway.web import experiment_answers as answers
from serving.gateway.web.answers import send
from serving.gateway.web.context import caller, gateway
from serving.gateway.web.json_body import documented, read_json, schemas
from serving.gateway.web.parameters import NamedPath
from serving.gateway.web.problems import problems


class Action(BaseModel):
    """The author of a change, and the reason; both are kept, as the caller says them."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field("admin", min_length=1, max_length=64, pattern=NO_NUL)
    reason: Text | None = None

    @field_validator("by")
    @classmethod
    def _is_somebody_else(cls, by: str) -> str:
        if by.strip().lower() == GATEWAY:
            raise ValueError(f"'{GATEWAY}' is the author of what the gateway does by itself; say who you are")
        return by

    @property
    def act(self) -> Act:
        """Return the author, the reason, and the key of the present request."""
        return Act(self.by, self.reason, caller())


class Weights(Action):
    """The weights of a new phase, one for each arm."""

    weights: dict[str, Share]
    traffic: float | None = Field(None, gt=0, le=1, allow_inf_nan=False, description="Unchanged if not given")


OF_CHANGES = problems(
    errors.BadRequest, errors.Unauthorized, errors.Forbidden, errors.NotFound, errors.Conflict, errors.TooLarge,
    errors.UnsupportedMediaType, errors.Unprocessable, errors.Unavailable,
)  # fmt: skip

blueprint = APIBlueprint("experiments", __name__, abp_tags=[Tag(name="experiments")])
blueprint.components_schemas.update(schemas(ExperimentSpec, Action, Weights))

PLAN = "plan"  # no experiment's name, since POST /experiments/plan plans


class NameConverter(BaseConverter):
    """A name in a path that shows an experiment."""

    regex = rf"(?!{PLAN}$)[^/]+"
    part_isolating = True  # it holds no slash


@blueprint.post(
    "/experiments", operation_id="create_experiment", security=security("experiments.create"),
    request_body=documented(ExperimentSpec), responses={201: answers.ExperimentAnswer, **OF_CHANGES},
)  # fmt: skip
def create() -> tuple[Response, int]:
    """Create an experiment as a draft."""
    spec = read_json(ExperimentSpec)
    if spec.name == PLAN:
        place, detail = pointer("name"), f"{PLAN!r} is the path that plans experiments; choose another name"
        raise Unprocessable(f"{place}: {detail}.", [errors.Fault(place, detail)])
    manifest = gateway().manifest.current()
    for number, variant in enumerate(spec.variants):
        if manifest.variant(variant) is None:
            place = pointer("arms", number, "variant")
            detail = f"There is no variant {variant!r}; there are {', '.join(v.name for v in manifest.variants)}"
            raise Unprocessable(f"{place}: {detail}.", [errors.Fault(place, detail)])
    with gateway().experiments.store.write() as connection:
        lifecycle.create(connection, spec, Act("admin", key=caller()))
        shown = answers.show(connection, lifecycle.find(connection, spec.name))
    gateway().experiments.cache.try_refresh()
    return send(shown), 201


@blueprint.get(
    "/experiments",
    operation_id="experiments",
    security=security("experiments.every"),
    responses={200: answers.ExperimentsAnswer, **problems(errors.Unauthorized, errors.Forbidden, errors.Unavailable)},
)
def every() -> Response:
    """List the experiments."""
    with gateway().experiments.store.read() as connection:
        every = rows.every(connection)
    names = {row.id: row.name for row in every}
    return send({"experiments": [answers.summary(row, names.get(row.follows)) for row in every]})


@blueprint.get(
    "/experiments/<experiment:name>", operation_id="experiment", security=security("experiments.show"),
    responses={200: answers.ExperimentAnswer, **problems(
        errors.Unauthorized, errors.Forbidden, errors.NotFound, errors.Unavailable
    )},
)  # fmt: skip
def show(path: NamedPath) -> Response:
    """Show an experiment, its phases and its log."""
    with gateway().experiments.store.read() as connection:
        return send(answers.show(connection, lifecycle.find(connection, path.name)))


@blueprint.post(
    "/experiments/<name>/weights", operation_id="reweight_experiment",
    security=security("experiments.reweight"),
    request_body=documented(Weights), responses={200: answers.ExperimentAnswer, **OF_CHANGES},
)  # fmt: skip
def reweight(path: NamedPath) -> Response:
    """Open a new phase with other weights; its units are drawn anew and counted apart."""
    body = read_json(Weights)
    return _changed(path.name, lambda c: lifecycle.reweight(c, path.name, body.weights, body.traffic, body.act))


def _step(action: str) -> Any:
    """Return the view of one step of the life cycle."""

    def view(path: NamedPath) -> Response:
        act = read_json(Action, optional=True).act

        def take(connection: Connection) -> None:
            found = lifecycle.find(connection, path.name, hold=True)
            decision = report(connection, found)["decision"] if action == "stop" else None
            lifecycle.step(connection, path.name, action, act, decision, gateway().manifest.newest())

        return _changed(path.name, take)

    return view


for _action, _summary_text in (
    ("start", "Start a draft; from then on only its weights can change."),
    ("pause", "Pause; the default variant answers."),
    ("resume", "Resume after a pause; every unit keeps its arm."),
    ("stop", "Stop for good; labels still count until the experiment is archived."),
    ("archive", "Archive; no more labels count."),
):
    blueprint.post(
        f"/experiments/<name>/{_action}", endpoint=_action, operation_id=f"{_action}_experiment",
        security=security(f"experiments.{_action}"), summary=_summary_text,
        request_body=documented(Action, optional=True), responses={200: answers.ExperimentAnswer, **OF_CHANGES},
    )(_step(_action))  # fmt: skip


def _changed(name: str, change: Any) -> Response:
    """Make a change in one transaction, and show the changed experiment."""
    services = gateway()
    with services.experiments.store.write() as connection:
        change(connection)
        shown = answers.show(connection, lifecycle.find(connection, name))
    services.experiments.cache.try_refresh()
    return send(shown)
