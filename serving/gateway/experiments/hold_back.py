"""Hold-backs: after a promotion some traffic stays on the old default, as evidence for or against the promotion.

A hold-back is a paired experiment that the gateway makes. Its control is the promoted variant, its other arm the old
default, which answers all of its units; the promoted one is asked in the background.
"""

from sqlalchemy import Connection, Row

from serving.gateway.errors import Conflict
from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.manifest import Manifest
from serving.gateway.store import experiments as rows

SUFFIX = "_hold_back"
LONGEST_NAME = 64


def begin(connection: Connection, experiment: Row, promoted: str, manifest: Manifest) -> None:
    """Make and start the hold-back of an experiment whose variant `promoted` displaces its control, if it wants one."""
    spec = ExperimentSpec.model_validate(experiment.spec)
    if not spec.hold_back:
        return
    arms = [{"variant": promoted, "weight": 0.0}, {"variant": spec.control, "weight": 1.0}]
    made = ExperimentSpec.model_validate(
        {
            "name": _free_name(connection, spec.name), "control": promoted, "arms": arms, "paired": True,
            "hypothesis": f"{promoted}, which {spec.name} promoted, has become worse than {spec.control}.",
            "traffic": spec.hold_back, "alpha": spec.alpha, "margin": spec.margin, "max_labels": spec.max_labels,
            "hold_back": 0.0, "on_regression": spec.on_regression,
        }
    )  # fmt: skip
    act = lifecycle.Act(lifecycle.GATEWAY, f"{spec.name} promoted {promoted}; {spec.hold_back:.3g} of the units stay.")
    lifecycle.create(connection, made, act, follows=experiment.id)
    lifecycle.step(connection, made.name, "start", act, manifest=manifest)


def check(connection: Connection, experiment: Row, promoted: str, manifest: Manifest) -> None:
    """Raise Conflict unless `promoted` beat the present default variant in the experiment."""
    spec = ExperimentSpec.model_validate(experiment.spec)
    default = lifecycle.default_variant(connection, manifest)
    if promoted not in spec.variants or promoted == spec.control or default != spec.control:
        raise Conflict(
            f"Experiment {spec.name!r} compares {', '.join(spec.variants)} with {spec.control!r}, so it holds nothing "
            f"back where {promoted!r} displaces the default variant {default!r}; leave the experiment out."
        )


def end(connection: Connection, reason: str) -> None:
    """Stop the hold-backs that run or pause: the default variant changes. The state is locked."""
    for name in rows.lock_hold_backs(connection):
        verdict = lifecycle.find(connection, name).verdict
        lifecycle.step(connection, name, "stop", lifecycle.Act(lifecycle.GATEWAY, reason), verdict)


def _free_name(connection: Connection, name: str) -> str:
    """Return a name for the hold-back of the experiment `name` that no experiment has."""
    taken = {row.name for row in rows.every(connection)}
    names = (f"{name[: LONGEST_NAME - len(SUFFIX) - 4]}{SUFFIX}{f'_{n}' if n > 1 else ''}" for n in range(1, 1000))
    return next(each for each in names if each not in taken)
