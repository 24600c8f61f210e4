"""Propose a candidate: the draft of a paired experiment that compares it with the default variant."""

from itertools import count

from sqlalchemy import Connection

from serving.gateway.errors import Conflict
from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.lifecycle import Act
from serving.gateway.experiments.routing import named
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.manifest import Manifest
from serving.gateway.store import experiments, promotions

OPEN = ("draft", *experiments.UNDER_WAY)
NAME = "adapted"  # then `adapted_2`, and so on: a new version of the default would answer at once


def next_name(connection: Connection, manifest: Manifest) -> str:
    """Return the first name that a new candidate may have: never the default's, and in no experiment under way.

    A name that was the default may be it again, by a rollback or once such a variant is published.
    """
    taken = {lifecycle.default_variant(connection, manifest), *promotions.every_variant(connection)}
    for row in experiments.every(connection):
        if row.status in experiments.UNDER_WAY:
            taken |= set(ExperimentSpec.model_validate(row.spec).variants)
    names = (NAME if number == 1 else f"{NAME}_{number}" for number in count(1))
    return next(name for name in names if name not in taken)


def propose(connection: Connection, manifest: Manifest, candidate: str) -> tuple[str, bool]:
    """Return the name of the candidate's experiment, and whether it is new; raise NotFound or Conflict.

    Control answers everybody. The candidate sees the same images in the background, until a verdict promotes it. An
    experiment that has ended, or has another control, is no longer the candidate's: it gets another one.
    """
    version = named(manifest, candidate).version
    control = lifecycle.default_variant(connection, manifest)
    if candidate == control:
        raise Conflict(f"The candidate {candidate!r} is the default variant, so there is nothing to compare it with.")
    base = f"{candidate}_v{version}"
    for name in (base if number == 1 else f"{base}_{number}" for number in count(1)):
        found = experiments.find(connection, name)
        if found is None:
            break
        if found.status in OPEN and ExperimentSpec.model_validate(found.spec).control == control:
            return name, False
    spec = ExperimentSpec.model_validate(
        {
            "name": name, "hypothesis": f"{candidate} {version}, which learned from labels, errs less than {control}",
            "control": control, "paired": True, "on_decision": "promote",
            "arms": [{"variant": control, "weight": 1.0}, {"variant": candidate, "weight": 0.0}],
        }
    )  # fmt: skip
    lifecycle.create(connection, spec, Act("improve"))
    return name, True
