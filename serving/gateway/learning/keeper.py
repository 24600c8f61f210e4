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
from serving.gateway.experiments.background import LAST_SECONDS, Background
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


class Keeper:
    """A bounded heap of answered images, the largest draw first, and the worker's thread that writes them."""

    def __init__(self, store: Store, most: int) -> None:
        """Prepare to keep `most` images that wait in `store`; none where that is 0."""
        self._store = store
        self._most = most
        self._largest = 2**DRAW_BITS  # with so many waiting, a larger draw would go at once
        self._heap: list[tuple[int, str, Answered, int, float]] = []
        self._changed = threading.Condition()
        self._thread = Background("keeper", self._run)
        self._ending = False

    @property
    def keeps(self) -> bool:
        """Whether anything is kept."""
        return self._most > 0

    def keep(self, answered: Answered) -> None:
        """Draw for each image of a request whether it is kept, and queue those that are."""
        at = time.time()
        for number in range(len(answered.labels)):
            draw = random.getrandbits(DRAW_BITS)
            if draw < self._largest:
                self._queue((-draw, f"{answered.key}.{number}", answered, number, at))

    def close(self) -> None:
        """Write the queue, for LAST_SECONDS at most."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join()

    def _queue(self, item: tuple[int, str, Answered, int, float]) -> None:
        with self._changed:
            if len(self._heap) < MOST_A_FLUSH:
                heapq.heappush(self._heap, item)
            else:
                heapq.heappushpop(self._heap, item)
        self._thread.start()

    def _run(self) -> None:
        until = float("inf")
        while time.monotonic() < until:
            with self._changed:
                self._changed.wait_for(lambda: self._ending, FLUSH_SECONDS)
                if self._ending:
                    until = min(until, time.monotonic() + LAST_SECONDS)
                    if not self._heap:
                        return
            self._flush()

    def _flush(self) -> None:
        """Write the queue; keep it for the next time where the store fails."""
        with self._changed:
            items, self._heap = self._heap, []
        try:
            with self._store.write(hurried=True) as connection:
                secret = signing_key(connection)
                largest = kept.write(connection, [_image(secret, *item) for item in items], self._most)
            self._largest = 2**DRAW_BITS if largest is None else largest
        except GatewayError:
            for item in items:
                self._queue(item)
            time.sleep(0 if self._ending else FLUSH_SECONDS)
        except Exception:
            logger.exception("unwritable images are dropped")


def unit_hash(secret: bytes, unit: str) -> int:
    """Return a 64-bit hash of a unit that nobody without `secret` can foresee, the same in all experiments."""
    return int.from_bytes(
        hashlib.blake2b(unit.encode(errors="surrogatepass"), key=secret, digest_size=8, person=PURPOSE).digest(),
        signed=True,
    )


def _image(secret: bytes, negative: int, prediction: str, answered: Answered, number: int, at: float) -> KeptImage:
    pixels = answered.pixels[number * answered.size : (number + 1) * answered.size]
    return KeptImage(
        prediction, unit_hash(secret, answered.unit), image_hash(secret, pixels), answered.labels[number],
        answered.variant, answered.version, -negative, pixels, at,
    )  # fmt: skip
