"""Delete old rows by itself: a thread of each worker, one of which has the turn each minute."""

import logging
import math
import threading
import time

from serving.gateway.errors import GatewayError
from serving.gateway.experiments.background import Background
from serving.gateway.store import retention
from serving.gateway.store.retention import Quotas
from serving.gateway.store.store import Store

logger = logging.getLogger(__name__)

# So that others get half of a store that takes one writer at a time, and find it free where they ask again and again.
LEAST_PAUSE_SECONDS = 0.02
LOOK_SECONDS = 60


class Retention:
    """Keeps a store within quotas, from `start` to `close`."""

    def __init__(self, store: Store, quotas: Quotas) -> None:
        """Prepare to keep `store` within `quotas`."""
        self._store = store
        self._quotas = quotas
        self._thread = Background("retention", self._run)
        self._ending = threading.Event()

    def start(self) -> None:
        """Start the thread, once."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the transaction under way."""
        self._ending.set()
        self._thread.join()

    def look(self) -> None:
        """Delete what the quotas do not keep, if it is this worker's turn."""
        with self._store.read() as connection:
            unannounced = retention.needs_notice(connection)
        with self._store.write() as connection:
            turn = retention.put_off(connection) if unannounced else retention.take_turn(connection)
        if turn and unannounced:
            remind(self._store, self._quotas)
        elif turn and (deleted := +retention.run(self._store, self._quotas, self._pause)):
            logger.info("retention deleted %s", retention.in_words(deleted))

    def _pause(self, seconds: float) -> bool:
        return self._ending.wait(max(seconds, LEAST_PAUSE_SECONDS))

    def _run(self) -> None:
        while not self._ending.is_set():
            started = time.monotonic()
            try:
                self.look()
            except GatewayError:
                pass  # the store has logged it
            except Exception:
                logger.exception("retention failed")
            self._ending.wait(max(0.0, started + LOOK_SECONDS - time.monotonic()))


def remind(store: Store, quotas: Quotas) -> None:
    """Log what the first run in a store of an earlier release will delete, and how to keep it, until that is due."""
    with store.read() as connection:
        if seconds := retention.put_off_seconds(connection):
            logger.warning("%s", _notice(math.ceil(seconds / 60), quotas, retention.to_go(connection, quotas)))


def _notice(minutes: int, quotas: Quotas, rows: dict[str, int]) -> str:
    deletes = f" and deletes {retention.in_words(rows)}" if rows else ""
    return (
        f"Retention begins in {minutes} minutes{deletes}. "
        f"It keeps {quotas.days or 'any number of'} days (GATEWAY_RETENTION_DAYS), {quotas.most_exposures:,} exposures "
        f"(GATEWAY_MAX_EXPOSURES) and {quotas.most_labels:,} labels (GATEWAY_MAX_LABELS). "
        "To keep everything, set GATEWAY_RETENTION_DAYS=0 and larger numbers, and start again before."
    )
