"""Have one worker of all hosts do a thing: it holds a lease in the store, and renews it."""

from sqlalchemy import Connection, Row, or_, select, update

from serving.gateway.store.tables import state

LEASE_SECONDS = 60.0  # of a worker that has died, too: then another one takes over


def holder(connection: Connection) -> Row:
    """Return `lease_holder` and `lease_until` of the present lease."""
    return connection.execute(select(state.c.lease_holder, state.c.lease_until)).one()


def is_free(lease: Row, now: float) -> bool:
    """Say whether a lease has run out; one far ahead is that of a clock that was wrong."""
    return not now <= lease.lease_until <= now + 2 * LEASE_SECONDS


def take(connection: Connection, who: str, now: float) -> bool:
    """Take the lease, or renew one's own; say whether it is `who`'s now."""
    mine_or_free = or_(
        state.c.lease_holder == who, state.c.lease_until < now, state.c.lease_until > now + 2 * LEASE_SECONDS
    )
    taken = update(state).where(mine_or_free).values(lease_holder=who, lease_until=now + LEASE_SECONDS)
    return connection.execute(taken).rowcount == 1


def release(connection: Connection, who: str) -> None:
    """Give one's lease back."""
    connection.execute(update(state).where(state.c.lease_holder == who).values(lease_holder=None, lease_until=0.0))
