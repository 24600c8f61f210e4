"""Write exposures in batches, off the path of requests."""

import logging
import threading
import time
from collections.abc import Callable

from serving.gateway.errors import GatewayError
from serving.gateway.experiments import scorings
from serving.gateway.experiments.background import Flushing
from serving.gateway.store import exposures
from serving.gateway.store.experiments import signing_key
from serving.gateway.store.exposures import Exposure
from serving.gateway.store.store import Store

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0  # a flush of few rows costs about as much as one of many
RETRY_SECONDS = 0.5
MOST_WAITING = 20_000  # images; more are dropped while the store is away
BATCH = 500  # images in a transaction, roughly


class Recorder:
    """A bounded queue of exposures, and the worker's thread that writes them."""

    def __init__(self, store: Store, dropped: Callable[[int], None]) -> None:
        """Prepare to write to `store`; call `dropped` with the number of exposures that find no room."""
        self._store = store
        self._dropped = dropped
        self._waiting: list[Exposure] = []
        self._images = 0
        self._lock = threading.Lock()
        self._thread = Flushing("recorder", FLUSH_SECONDS, lambda: self._waiting, self._flush)

    def record(self, exposure: Exposure) -> None:
        """Queue an exposure, or drop it when the queue is full."""
        with self._lock:
            if self._images + exposure.images > MOST_WAITING:
                self._dropped(1)
                return
            self._images += exposure.images
            self._waiting.append(exposure)
        self._thread.start()

    def close(self) -> None:
        """Write the queue, for LAST_SECONDS at most."""
        self._thread.close()

    def _flush(self) -> None:
        """Write the queue in full batches and one last batch; keep the rest queued when the store fails."""
        full = True
        while full and (batch := self._batch()):
            try:
                with self._store.write(hurried=True) as connection:
                    status = exposures.lock(connection, (exposure.experiment_id for exposure in batch))
                    # An archived experiment keeps no more pixels, and nothing else from its last moments. A backup that
                    # was restored may lack the experiment, or the phase.
                    taking = [experiment for experiment in status if status[experiment] != "archived"]
                    phases = scorings.alone(connection, taking)
                    wanted = [each for each in batch if each.phase in phases.get(each.experiment_id, ())]
                    if wanted:
                        exposures.write(connection, wanted, phases, signing_key(connection))
            except GatewayError:
                time.sleep(RETRY_SECONDS)
                return
            except Exception:
                logger.exception("unwritable exposures are dropped")
                self._dropped(len(batch))
            full = self._remove(batch)

    def _batch(self) -> list[Exposure]:
        with self._lock:
            images, batch = 0, []
            for exposure in self._waiting:
                images += exposure.images
                batch.append(exposure)
                if images >= BATCH:
                    break
            return batch

    def _remove(self, batch: list[Exposure]) -> bool:
        """Remove a written batch; say whether another full one waits, since few rows are not worth a commit yet."""
        with self._lock:
            del self._waiting[: len(batch)]
            self._images -= sum(exposure.images for exposure in batch)
            return self._images >= BATCH
