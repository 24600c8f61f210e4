"""Layers: experiments of one layer share out its units, so that none is in two of them."""

import math
from collections.abc import Sequence

from sqlalchemy import Connection, Row

from serving.gateway.errors import Conflict
from serving.gateway.experiments.assignment import PARTS
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store import experiments as rows
from serving.gateway.store.experiments import Place, Segment
from serving.gateway.store.store import hold


def place(connection: Connection, experiment: Row, traffic: float) -> Place | None:
    """Return a place of this width in the experiment's layer, None without a layer; raise Conflict without room.

    An experiment that has a place keeps as much of it as fits.
    """
    spec = ExperimentSpec.model_validate(experiment.spec)
    if spec.layer is None:
        return None
    hold(connection)  # two that start at once would take the same units
    phases = rows.phases_of(connection, experiment.id)
    own = [(start, end) for start, end in phases[-1].segments or ()] if phases else []
    others = {
        row.name: [(start, end) for start, end in row.segments]
        for row in rows.in_layer(connection, spec.layer, rows.UNDER_WAY)
        if row.id != experiment.id
    }
    wanted = max(1, round(traffic * PARTS))
    free = free_segments([*own, *(each for segments in others.values() for each in segments)])
    found = taken(wanted, [*sorted(own), *free])
    if found is None:
        room = _width([*own, *free]) / PARTS
        raise Conflict(
            f"Layer {spec.layer!r} has room for a traffic of {math.floor(room * 10_000) / 10_000:g}, not {traffic:g}: "
            f"{', '.join(sorted(others))} take the rest. Stop one, or ask for less."
        )
    return Place(rows.layer_salt(connection, spec.layer), found)


def free_segments(used: Sequence[Segment]) -> list[Segment]:
    """Return the parts of a layer outside of `used`, in order."""
    free, reached = [], 0
    for start, end in sorted(used):
        if start > reached:
            free.append((reached, start))
        reached = max(reached, end)
    return [*free, (reached, PARTS)] if reached < PARTS else free


def taken(wanted: int, free: Sequence[Segment]) -> list[Segment] | None:
    """Return the first `wanted` parts of segments, None where they have fewer."""
    found: list[Segment] = []
    for start, end in free:
        if wanted:
            end = min(end, start + wanted)
            found.append((start, end))
            wanted -= end - start
    return None if wanted else found


def _width(segments: Sequence[Segment]) -> int:
    return sum(end - start for start, end in segments)
