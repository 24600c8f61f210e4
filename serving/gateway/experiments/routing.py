"""Choose the variant that answers a request."""

from typing import NamedTuple

from serving.gateway.errors import NotFound
from serving.gateway.experiments.assignment import Assignment
from serving.gateway.experiments.lifecycle import missing
from serving.gateway.experiments.live import Running, Snapshot
from serving.gateway.manifest import Manifest, Variant


class Exposure(NamedTuple):
    """The experiment that chooses, and what it chose for the request's unit."""

    running: Running
    assignment: Assignment


def choose(
    manifest: Manifest, snapshot: Snapshot, variant: str | None, experiment: str | None, unit: str
) -> Variant | Exposure:
    """Return who answers: the named variant, what the named or the active experiment chose, or the default variant.

    An experiment that is not running, or that the unit is not in, leaves the request to the default variant. Raise
    NotFound for a name that does not exist.
    """
    if variant is not None:
        return named(manifest, variant)
    if experiment is not None and experiment not in snapshot.names:
        raise missing(experiment, list(snapshot.names))
    running = snapshot.active if experiment is None else snapshot.running.get(experiment)
    assignment = running.split.assign(unit) if running else None
    if running is None or assignment is None:
        return default(manifest, snapshot)
    return Exposure(running, assignment)


def default(manifest: Manifest, snapshot: Snapshot) -> Variant:
    """Return the promoted variant, as long as it is published, else the manifest's default."""
    promoted = manifest.variant(snapshot.default) if snapshot.default is not None else None
    return promoted or named(manifest, manifest.default)


def named(manifest: Manifest, name: str) -> Variant:
    """Return the variant called `name`; raise NotFound, naming those that exist."""
    variant = manifest.variant(name)
    if variant is None:
        raise NotFound(f"There is no variant {name!r}; there are {', '.join(v.name for v in manifest.variants)}.")
    return variant
