"""Keep the default variant, and the way back to earlier ones."""

import time
from collections.abc import Sequence

from sqlalchemy import Connection, Row, insert, select

from serving.gateway.store import events
from serving.gateway.store.store import bump
from serving.gateway.store.tables import promotions


def current(connection: Connection) -> Row | None:
    """Return the promotion in force, None before the first."""
    return connection.execute(select(promotions).order_by(promotions.c.id.desc()).limit(1)).one_or_none()


def before(connection: Connection) -> str | None:
    """Return the variant that a rollback would make the default, None for the manifest's."""
    now = current(connection)
    parent = now.parent if now else None
    return connection.execute(select(promotions.c.variant).where(promotions.c.id == parent)).scalar()


def latest(connection: Connection, most: int) -> Sequence[Row]:
    """Return the last promotions and rollbacks, the newest first."""
    return connection.execute(select(promotions).order_by(promotions.c.id.desc()).limit(most)).all()


def every_variant(connection: Connection) -> set[str]:
    """Return the variants that have ever been promoted."""
    named = select(promotions.c.variant).where(promotions.c.variant.is_not(None))
    return set(connection.execute(named.distinct()).scalars())


def promote(
    connection: Connection, variant: str, who: str, reason: str | None, key: str | None = None, *,
    experiment: str = events.OF_DEFAULT,
) -> None:  # fmt: skip
    """Make `variant` the default; `key` is the id of the key that allowed it, `experiment` the one that it won."""
    before = current(connection)
    _append(connection, variant, before.id if before else None, "promote", who, reason, key)
    _tell(connection, "variant.promoted", before.variant if before else None, variant, who, reason, experiment)


def roll_back(
    connection: Connection, who: str, reason: str | None, key: str | None = None, *,
    experiment: str = events.OF_DEFAULT,
) -> bool:  # fmt: skip
    """Return to the default before the one in force; return False without one. `experiment` gave the evidence."""
    now = current(connection)
    if now is None or (now.parent is None and now.variant is None):
        return False
    before = connection.execute(select(promotions).where(promotions.c.id == now.parent)).one_or_none()
    variant, parent = (before.variant, before.parent) if before else (None, None)
    _append(connection, variant, parent, "rollback", who, reason, key)
    _tell(connection, "variant.rolled_back", now.variant, variant, who, reason, experiment)
    return True


def _append(
    connection: Connection, variant: str | None, parent: int | None, action: str, who: str, reason: str | None,
    key: str | None,
) -> None:  # fmt: skip
    connection.execute(
        insert(promotions).values(
            variant=variant, parent=parent, action=action, who=who, key=key, reason=reason, at=time.time()
        )
    )
    bump(connection)


def _tell(
    connection: Connection, type: str, before: str | None, after: str | None, who: str, reason: str | None,
    experiment: str,
) -> None:  # fmt: skip
    """Keep the event of a change; the variant None is the manifest's default."""
    told = {"variant": after, "before": before, "who": who, "reason": reason, "experiment": experiment or None}
    events.add(connection, type, experiment, told)
