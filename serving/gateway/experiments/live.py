"""What a worker knows of experiments without asking: looked up in the background, so that no prediction waits."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection, Row

from serving.gateway.errors import GatewayError
from serving.gateway.experiments.assignment import Split
from serving.gateway.experiments.background import Background
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store import experiments as rows
from serving.gateway.store import promotions
from serving.gateway.store.store import Store

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
FIRST_LOOK_SECONDS = 1.0  # that the first request waits; later ones never do


@dataclass(frozen=True)
class Running:
    """An experiment under way, in its present phase."""

    id: int
    name: str
    arms: tuple[str, ...]
    control: int
    paired: bool
    slow_ms: float
    phase: int
    split: Split


@dataclass(frozen=True)
class Snapshot:
    """The state of the store at one moment; `running` is in the order of starting, and the first takes all traffic."""

    revision: int = -1
    signing_key: bytes | None = None
    default: str | None = None
    running: dict[str, Running] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    @property
    def active(self) -> Running | None:
        """Return the experiment for requests that name none."""
        return next(iter(self.running.values()), None)


class Live:
    """The newest snapshot, which a thread of this worker keeps up to date from the first request on."""

    def __init__(self, store: Store, then: Callable[[Snapshot], None] = lambda snapshot: None) -> None:
        """Prepare to watch `store`, and to call `then` after every look."""
        self._store = store
        self._then = then
        self._snapshot = Snapshot()
        self._thread = Background("live", self._watch)
        self._looked = threading.Event()
        self._stop = threading.Event()
        self._looking = threading.Lock()

    def current(self) -> Snapshot:
        """Return what is known; the very first call waits for the first look, at most FIRST_LOOK_SECONDS."""
        if not self._looked.is_set():
            self._thread.start()
            self._looked.wait(FIRST_LOOK_SECONDS)
        return self._snapshot

    def refresh(self) -> Snapshot:
        """Look now; raise Unavailable where the store cannot be read."""
        # One look at a time: an older one must not end last.
        with self._looking, self._store.read() as connection:
            if rows.revision(connection) != self._snapshot.revision:
                self._snapshot = _look(connection)
        return self._snapshot

    def close(self) -> None:
        """Stop looking, and wait LAST_SECONDS at most for a look that is under way."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._then(self.refresh())
            except GatewayError:
                pass  # the store has logged it; what was known stays
            except Exception:
                logger.exception("looking for experiments failed")
            self._looked.set()
            self._stop.wait(POLL_SECONDS)


def _look(connection: Connection) -> Snapshot:
    revision = rows.revision(connection)
    every = rows.every(connection)
    under_way = sorted((row for row in every if row.status == "running"), key=lambda row: row.started_at)
    promoted = promotions.current(connection)
    return Snapshot(
        revision=revision,
        signing_key=rows.signing_key(connection),
        default=promoted.variant if promoted else None,
        running={row.name: _running(connection, row) for row in under_way},
        names=tuple(row.name for row in every),
    )


def _running(connection: Connection, row: Row) -> Running:
    spec = ExperimentSpec.model_validate(row.spec)
    phase = rows.phases_of(connection, row.id)[-1]
    return Running(
        row.id, row.name, tuple(spec.variants), spec.variants.index(spec.control), spec.paired, spec.slow_ms,
        phase.number, Split(phase.traffic, tuple(phase.weights), phase.traffic_salt, phase.arm_salt),
    )  # fmt: skip
