"""Notice label queues that grow old."""

from serving.gateway.store import days, events, experiments, images, locks
from serving.gateway.store.store import Store

LOOK_SECONDS = 60.0
HOUR_SECONDS = 3600.0


class QueueWatch:
    """Announces, once a day, each queue of a running experiment with an image that has waited `hours`."""

    def __init__(self, store: Store, hours: float) -> None:
        """Prepare to watch the queues of `store`."""
        self._store, self._hours = store, hours
        self._next = 0.0

    def look(self, now: float) -> None:
        """Look at the queues, if a minute has passed since the last time; `now` is in seconds since 1970."""
        if now < self._next:
            return
        self._next = now + LOOK_SECONDS
        with self._store.read() as connection:
            running = [row for row in experiments.every(connection) if row.status == "running"]
            oldest = [(row, images.oldest_queued(connection, row.id)) for row in running]
        for row, since in oldest:
            if since is None or now - since < self._hours * HOUR_SECONDS:
                continue
            once = f"queue_old:{row.id}:{days.day(now)}"
            with self._store.write() as connection:
                locks.own(connection, [row.id])
                data = {
                    "experiment": row.name, "waiting": images.count_queued(connection, row.id),
                    "oldest_hours": round((now - since) / HOUR_SECONDS, 1),
                }  # fmt: skip
                events.add(connection, events.QUEUE_OLD, row.name, data, once=once)
