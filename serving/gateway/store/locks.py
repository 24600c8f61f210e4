"""Lock experiments on PostgreSQL until the transaction ends: writers of rows share them, all others have them alone.

On SQLite a transaction that writes has the database alone, so nothing here does anything. Advisory locks queue, where
locks of rows would let new writers in before a judge that waits.

Transactions take what they lock in one order, so that none waits for another in a circle: experiments by ascending id,
predictions, a slot, images, units, their results, the fair sample; then experiments' rows and the state.
"""

from collections.abc import Collection, Iterable
from zlib import crc32

from sqlalchemy import Connection, text

from serving.gateway.errors import Unavailable

EXPERIMENT, PREDICTION, SLOT, SAMPLE = range(0x64726F71, 0x64726F75)  # kinds of locks, beside those of others
SLOTS = 32  # sets of counters; so many transactions count at once
GROUPS = 64  # of predictions, one lock each: a request labels a thousand, and PostgreSQL has room for some thousand
SHARE = text("""
    SELECT (SELECT count(pg_advisory_xact_lock_shared(:experiment, id)) FROM unnest(CAST(:ids AS int[])) AS id),
           (SELECT count(pg_advisory_xact_lock(:prediction, at)) FROM unnest(CAST(:groups AS int[])) AS at),
           (SELECT at FROM generate_series(0, :slots - 1) AS at WHERE pg_try_advisory_xact_lock(:slot, at) LIMIT 1)
""")
ONE = text("SELECT pg_advisory_xact_lock(:kind, :key)")
OWN = text("SELECT count(pg_advisory_xact_lock(:experiment, id)) FROM unnest(CAST(:ids AS int[])) AS id")
TRY = text("SELECT bool_and(pg_try_advisory_xact_lock(:experiment, id)) FROM unnest(CAST(:ids AS int[])) AS id")


def share(connection: Connection, ids: Iterable[int], predictions: Collection[str] = ()) -> None:
    """Lock experiments as other writers of their rows do, and a slot; have `predictions` alone."""
    if not shared(connection):
        return
    groups = sorted({crc32(prediction.encode()) % GROUPS for prediction in predictions})
    given = {"experiment": EXPERIMENT, "prediction": PREDICTION, "slot": SLOT, "slots": SLOTS}
    found = connection.execute(SHARE, {**given, "ids": sorted(set(ids)), "groups": groups}).one()[2]
    if found is None:
        connection.execute(ONE, {"kind": SLOT, "key": 0})
    connection.info[SLOT] = found or 0


def own(connection: Connection, ids: Iterable[int], *, wait: bool = True) -> None:
    """Have experiments alone; without `wait` raise Unavailable where another transaction has one."""
    if not shared(connection):
        return
    given = {"experiment": EXPERIMENT, "ids": sorted(set(ids))}
    if wait:
        connection.execute(OWN, given)
    elif connection.execute(TRY, given).scalar() is False:
        raise Unavailable("An experiment is in use; try again shortly.")


def sample(connection: Connection, experiment: int) -> None:
    """Have the fair sample of an experiment alone: each draw depends on all before."""
    if shared(connection):
        connection.execute(ONE, {"kind": SAMPLE, "key": experiment})


def slot(connection: Connection) -> int:
    """Return the slot to whose counters this transaction adds; another one would be right, and wait for others."""
    return connection.info.get(SLOT, 0)


def shared(connection: Connection) -> bool:
    """Say whether several transactions write at once: on PostgreSQL."""
    return connection.dialect.name == "postgresql"
