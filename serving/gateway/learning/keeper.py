"""Keep the images of recent predictions until their labels come: a fair sample where there are too many."""

import hashlib
import heapq
import logging
import random
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from serving.gateway.errors import GatewayError
from serving.gateway.experiments.background import Flushing
from serving.gateway.experiments.prediction_id import image_hash
from serving.gateway.store import kept
from serving.gateway.store.experiments import signing_key
from serving.gateway.store.kept import KeptImage
from serving.gateway.store.store import Store

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
MOST_A_FLUSH = 200  # images of one worker; of more, those with the smallest draws
DRAW_BITS = 62
PURPOSE = b"learning unit"


class Answered(NamedTuple):
    """An answered request: `key` names it, and `pixels` are those of all its images, each of `size` bytes."""

    key: str
    unit: str
    variant: str
    version: int
    labels: Sequence[str]
    pixels: bytes
    size: int


class Drawn(NamedTuple):
    """An image of a request, with its own pixels alone: the others need not stay in memory. Large draws come first."""

    negative_draw: int
    prediction: str
    unit: str
    predicted: str
    variant: str
    version: int
    pixels: bytes
    at: float


class Keeper:
    """A bounded heap of answered images, the largest draw first, and the worker's thread that writes them."""

    def __init__(self, store: Store, most: int) -> None:
        """Prepare to keep `most` images that wait in `store`; none where that is 0."""
        self._store = store
        self._most = most
        self._largest = 2**DRAW_BITS  # with so many waiting, a larger draw would go at once
        self._passed_over = False  # whether an image was not queued for its draw since the store was asked
        self._heap: list[Drawn] = []
        self._lock = threading.Lock()
        self._thread = Flushing("keeper", FLUSH_SECONDS, lambda: self._heap, self._flush)

    @property
    def keeps(self) -> bool:
        """Whether anything is kept."""
        return self._most > 0

    def keep(self, answered: Answered) -> None:
        """Draw for each image of a request whether it is kept, and queue those that are."""
        key, unit, variant, version, labels, pixels, size = answered
        at = time.time()
        for number, label in enumerate(labels):
            draw = random.getrandbits(DRAW_BITS)
            if draw < self._largest:
                own = pixels[number * size : (number + 1) * size]
                self._queue(Drawn(-draw, f"{key}.{number}", unit, label, variant, version, own, at))
            else:
                self._passed_over = True

    def close(self) -> None:
        """Write the queue, for LAST_SECONDS at most."""
        self._thread.close()

    def _queue(self, item: Drawn) -> None:
        with self._lock:
            if len(self._heap) < MOST_A_FLUSH:
                heapq.heappush(self._heap, item)
            else:
                heapq.heappushpop(self._heap, item)
        self._thread.start()

    def _flush(self) -> None:
        """Write the queue, and learn what draws are too large; keep the queue for the next time if the store fails."""
        with self._lock:
            if not self._heap and not self._passed_over:
                return
            items, self._heap = self._heap, []
            self._passed_over = False
        try:
            if items:
                with self._store.write(hurried=True) as connection:
                    secret = signing_key(connection)
                    largest = kept.write(connection, [_image(secret, item) for item in items], self._most)
            else:
                with self._store.read() as connection:
                    largest = kept.largest_waiting(connection, self._most)
            self._largest = 2**DRAW_BITS if largest is None else largest
        except GatewayError:
            for item in items:
                self._queue(item)
            time.sleep(0 if self._thread.is_ending else FLUSH_SECONDS)
        except Exception:
            logger.exception("unwritable images are dropped")


def unit_hash(secret: bytes, unit: str) -> int:
    """Return a 64-bit hash of a unit that nobody without `secret` can foresee, the same in all experiments."""
    return int.from_bytes(
        hashlib.blake2b(unit.encode(errors="surrogatepass"), key=secret, digest_size=8, person=PURPOSE).digest(),
        signed=True,
    )


def _image(secret: bytes, drawn: Drawn) -> KeptImage:
    return KeptImage(
        drawn.prediction, unit_hash(secret, drawn.unit), image_hash(secret, drawn.pixels), drawn.predicted,
        drawn.variant, drawn.version, -drawn.negative_draw, drawn.pixels, drawn.at,
    )  # fmt: skip
