"""Choose the variant or the arm that answers a request."""

from typing import NamedTuple

from serving.gateway.errors import NotFound
from serving.gateway.experiments.assignment import Assignment
from serving.gateway.experiments.cache import Running, Snapshot
from serving.gateway.experiments.lifecycle import missing
from serving.gateway.manifest import Manifest, Variant


class ArmChoice(NamedTuple):
    """The arm that an experiment chose for a request's unit."""

    running: Running
    assignment: Assignment


def choose(
    manifest: Manifest, snapshot: Snapshot, variant: str | None, experiment: str | None, unit: str
) -> Variant | ArmChoice:
    """Return the named variant, the choice of the named experiment or of those that answer, or the default variant.

    The default variant also answers for an experiment that is not running or does not include the unit. Raise NotFound
    for a name that does not exist, Unavailable where the store, which knows the names, has not been read yet.
    """
    if variant is not None:
        return named(manifest, variant)
    if experiment is not None and experiment not in snapshot.names:
        snapshot.require()
        raise missing(experiment, list(snapshot.names))
    asked = snapshot.answering if experiment is None else (snapshot.running.get(experiment),)
    for running in asked:
        if running and (assignment := running.split.assign(unit)):
            return ArmChoice(running, assignment)
    return default(manifest, snapshot)


def unsettled(snapshot: Snapshot, variant: str | None, experiment: str | None) -> bool:
    """Say whether the store may know better who answers: another worker may just have started the named experiment."""
    if variant is not None or experiment is None or experiment in snapshot.running:
        return False
    return snapshot.names.get(experiment) not in ("stopped", "archived")


def default(manifest: Manifest, snapshot: Snapshot) -> Variant:
    """Return the promoted variant while it is published, else the manifest's default."""
    return manifest.default_variant(snapshot.default)


def named(manifest: Manifest, name: str) -> Variant:
    """Return the variant called `name`; raise NotFound, which lists the existing names."""
    variant = manifest.variant(name)
    if variant is None:
        raise NotFound(f"There is no variant {name!r}; there are {', '.join(v.name for v in manifest.variants)}.")
    return variant
