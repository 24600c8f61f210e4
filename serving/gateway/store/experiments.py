"""Keep experiments, their phases and the audit log."""

import secrets
import time
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, insert, or_, select, update

from serving.gateway.store import locks
from serving.gateway.store.images import forget_pixels
from serving.gateway.store.store import bump
from serving.gateway.store.tables import audit, experiments, layers, phases, state

SALT_BYTES = 16
UNDER_WAY = ("running", "paused")  # the states in which an experiment has units
HOLDS_BACK = experiments.c.follows.is_not(None) & experiments.c.status.in_(UNDER_WAY)
Segment = tuple[int, int]  # parts of a layer: the first one, and the first one after


class Place(NamedTuple):
    """The salt of a layer, and an experiment's parts of it."""

    salt: str | None
    segments: Sequence[Segment] | None


def create(connection: Connection, spec: dict[str, Any], follows: int | None = None) -> None:
    """Keep a new experiment as a draft; its name must be free. A hold-back `follows` an experiment."""
    connection.execute(
        insert(experiments).values(
            name=spec["name"], spec=spec, status="draft", phase=0, created_at=time.time(), follows=follows
        )
    )
    bump(connection)


def find(connection: Connection, name: str | None, *, hold: bool = False) -> Row | None:
    """Return the experiment of this name, or None; `hold` locks it until the transaction ends."""
    if hold:
        _own(connection, experiments.c.name == name)
    return connection.execute(select(experiments).where(experiments.c.name == name)).one_or_none()


def by_id(connection: Connection, experiment: int) -> Row:
    """Return the experiment with this id."""
    return connection.execute(select(experiments).where(experiments.c.id == experiment)).one()


def every(connection: Connection) -> Sequence[Row]:
    """Return all experiments, the oldest first."""
    return connection.execute(select(experiments).order_by(experiments.c.id)).all()


def change(connection: Connection, experiment: int, **values: Any) -> None:
    """Change columns of an experiment."""
    connection.execute(update(experiments).where(experiments.c.id == experiment).values(**values))
    bump(connection)


def clear_verdicts(connection: Connection, ids: Collection[int]) -> list[int]:
    """Clear the verdicts of experiments; return the ids of those that had one."""
    cleared = [experiment for experiment in sorted(ids) if _clear_verdict(connection, experiment)]
    if cleared:  # after all of them: who holds the state waits for no experiment
        bump(connection)
    return cleared


def _clear_verdict(connection: Connection, experiment: int) -> bool:
    with_verdict = (experiments.c.id == experiment) & experiments.c.verdict.is_not(None)
    return connection.execute(update(experiments).where(with_verdict).values(verdict=None)).rowcount > 0


def open_phase(
    connection: Connection, experiment: int, weights: Sequence[float], traffic: float, versions: Sequence[int | None],
    *, anew: bool = False, place: Place | None = None,
) -> int:  # fmt: skip
    """Open the next phase of a locked experiment; return its number.

    A new salt draws the arms of its units anew; which units take part is drawn once an experiment. `versions` are those
    of the arms, None where unknown. Other versions than before, or `anew`, begin a new epoch, and empty the queue.
    In a layer the phase has this `place`, by default that of the phase before.
    """
    before = phases_of(connection, experiment)
    number = before[-1].number + 1 if before else 1
    goes_on = bool(before) and not anew and before[-1].versions == list(versions)
    epoch = before[-1].epoch if goes_on else number
    if not goes_on:
        forget_pixels(connection, experiment)
    if place is None:
        place = Place(before[-1].layer_salt, before[-1].segments) if before else Place(None, None)
    salt = before[-1].traffic_salt if before else secrets.token_hex(SALT_BYTES)
    connection.execute(
        insert(phases).values(
            experiment_id=experiment, number=number, weights=list(weights), traffic=traffic, started_at=time.time(),
            traffic_salt=salt, arm_salt=secrets.token_hex(SALT_BYTES), epoch=epoch, versions=list(versions),
            layer_salt=place.salt, segments=place.segments,
        )
    )  # fmt: skip
    change(connection, experiment, phase=number)
    return number


def epoch(connection: Connection, experiment: int) -> int:
    """Return the epoch of an experiment's present phase, 0 before its start."""
    query = select(phases.c.epoch).where(phases.c.experiment_id == experiment).order_by(phases.c.number.desc())
    return connection.execute(query.limit(1)).scalar() or 0


def set_versions(connection: Connection, experiment: int, epoch: int, versions: Sequence[int | None]) -> None:
    """Fill in the versions of the arms in the phases of an epoch, where they were unknown."""
    where = (phases.c.experiment_id == experiment) & (phases.c.epoch == epoch)
    connection.execute(update(phases).where(where).values(versions=list(versions)))
    bump(connection)


def phases_of(connection: Connection, experiment: int) -> Sequence[Row]:
    """Return the phases of an experiment in their order."""
    query = select(phases).where(phases.c.experiment_id == experiment).order_by(phases.c.number)
    return connection.execute(query).all()


def in_layer(connection: Connection, layer: str, statuses: Collection[str]) -> list[Row]:
    """Return `id`, `name` and the present phase's `segments` of the experiments of a layer with these statuses."""
    query = select(experiments.c.id, experiments.c.name, experiments.c.spec, phases.c.segments).join(
        phases, (phases.c.experiment_id == experiments.c.id) & (phases.c.number == experiments.c.phase)
    )
    rows = connection.execute(query.where(experiments.c.status.in_(statuses), phases.c.layer_salt.is_not(None)))
    return [row for row in rows if row.spec.get("layer") == layer]


def layer_salt(connection: Connection, layer: str) -> str:
    """Return the salt of a layer, made at its first use; the state must be locked."""
    salt = connection.execute(select(layers.c.salt).where(layers.c.name == layer)).scalar()
    if salt is None:
        salt = secrets.token_hex(SALT_BYTES)
        connection.execute(insert(layers).values(name=layer, salt=salt))
    return salt


def find_with_hold_backs(connection: Connection, name: str | None) -> Row | None:
    """Lock the experiment of this name and the hold-backs that run or pause; return the experiment, or None.

    Writers lock experiments by ascending id, and the state after them; another order deadlocks. Whoever tells an event
    of an experiment locks it before: the ids of its events are then in the order of their commits.
    """
    _own(connection, or_(experiments.c.name == name, HOLDS_BACK))
    return find(connection, name)


def lock_hold_backs(connection: Connection) -> list[str]:
    """Lock the hold-backs that run or pause, as the state is locked; return their names.

    It does not wait for others: one that began meanwhile, and is in use, makes the store unavailable.
    """
    locked = _own(connection, HOLDS_BACK, wait=False)
    query = select(experiments.c.name).where(HOLDS_BACK, experiments.c.id.in_(locked)).order_by(experiments.c.id)
    return list(connection.execute(query).scalars())


def _own(connection: Connection, where: ColumnElement[bool], *, wait: bool = True) -> Sequence[int]:
    """Lock the experiments that meet a condition; return their ids."""
    found = connection.execute(select(experiments.c.id).where(where)).scalars().all()
    locks.own(connection, found, wait=wait)
    return found


def phases_with_specs(connection: Connection, ids: Collection[int]) -> Sequence[Row]:
    """Return the phases of these experiments, with the experiment's `name` and `spec`."""
    query = select(phases, experiments.c.name, experiments.c.spec)
    return connection.execute(query.join(experiments).where(phases.c.experiment_id.in_(ids))).all()


def log(
    connection: Connection, who: str, action: str, subject: str, reason: str | None, key: str | None = None
) -> None:
    """Write an act on an experiment or variant to the audit log; `key` is the id of the key that allowed it."""
    entry = {"at": time.time(), "who": who, "key": key, "action": action, "subject": subject, "reason": reason}
    connection.execute(insert(audit).values(entry))


def logged(connection: Connection, subject: str) -> Sequence[Row]:
    """Return the audit log of an experiment or variant, the oldest entry first."""
    return connection.execute(select(audit).where(audit.c.subject == subject).order_by(audit.c.id)).all()


def revision(connection: Connection) -> int:
    """Return a number that grows with every change of an experiment or of the default variant."""
    return connection.execute(select(state.c.revision)).scalar_one()


def signing_key(connection: Connection) -> bytes:
    """Return the key that signs prediction ids, the same for all workers on this store."""
    return bytes.fromhex(connection.execute(select(state.c.signing_key)).scalar_one())
