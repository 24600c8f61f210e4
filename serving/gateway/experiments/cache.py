"""Cache experiments in each worker, refreshed in the background, so that no prediction waits for the store."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import Connection, Row

from serving.gateway.errors import GatewayError, Unavailable
from serving.gateway.experiments.assignment import Split
from serving.gateway.experiments.background import Background
from serving.gateway.experiments.flag_values import Flag, flag
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store import experiments as rows
from serving.gateway.store import promotions
from serving.gateway.store.store import Store

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 0.25
LOOK_UP_SECONDS = 0.5
FIRST_REFRESH_SECONDS = 1.0  # the longest wait of the first request; later ones never wait
WATCHED = ("running", "paused", "stopped")  # the states in which labels are taken


@dataclass(frozen=True)
class Running:
    """A running experiment in its present phase.

    `epoch` is the first phase in which the arms had these `versions`, which are None where unknown.
    """

    id: int
    name: str
    arms: tuple[str, ...]
    control: int
    paired: bool
    slow_ms: float
    phase: int
    epoch: int
    versions: tuple[int | None, ...]
    split: Split
    hold_back: bool = False
    layer: str | None = None


class Watched(NamedTuple):
    """An experiment that still takes labels; `versions` by variant are those of its phase, none once it is stopped."""

    id: int
    name: str
    phase: int
    versions: Mapping[str, int | None]


@dataclass(frozen=True)
class Snapshot:
    """The state of the store at one moment; the oldest start is first in `running`."""

    revision: int = -1
    signing_key: bytes | None = None
    default: str | None = None
    running: dict[str, Running] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # statuses, by experiment
    flags: dict[str, Flag] = field(default_factory=dict)  # by experiment
    watched: tuple[Watched, ...] = ()

    def require(self) -> None:
        """Raise Unavailable where the store has not been read yet, so that nothing is known of experiments."""
        if self.revision < 0:
            raise Unavailable("The store has not been read yet; try again shortly.")

    @cached_property
    def answering(self) -> tuple[Running, ...]:
        """Return the experiments that requests without a name ask in turn; the first that includes a unit answers it.

        Hold-backs come first, then layers by their names, then the one without a layer that started first.
        """
        every = list(self.running.values())
        hold_backs = [each for each in every if each.hold_back]
        layered = sorted((each for each in every if each.layer is not None), key=lambda each: each.layer or "")
        others = [each for each in every if not each.hold_back and each.layer is None]
        return *hold_backs, *layered, *others[:1]


class ExperimentCache:
    """The newest snapshot; a thread of this worker refreshes it from the first request on."""

    def __init__(self, store: Store, then: Callable[[Snapshot], None] = lambda snapshot: None) -> None:
        """Prepare to watch `store`, and to call `then` after every refresh in the background."""
        self._store = store
        self._then = then
        self._snapshot = Snapshot()
        self._thread = Background("experiments", self._watch)
        self._refreshed = threading.Event()
        self._stop = threading.Event()
        self._refreshing = threading.Lock()
        self._reachable = True

    def current(self) -> Snapshot:
        """Return the newest snapshot; the first call waits for it, FIRST_REFRESH_SECONDS at most, and no other does."""
        if not self._refreshed.is_set():
            self._thread.start()
            self._refreshed.wait(FIRST_REFRESH_SECONDS)
            self._refreshed.set()
        return self._snapshot

    def refresh(self) -> Snapshot:
        """Read the store now; raise Unavailable if that fails."""
        with self._refreshing:  # one at a time: an older one must not end last
            try:
                with self._store.read() as connection:
                    if rows.revision(connection) != self._snapshot.revision:
                        self._snapshot = _read(connection)
            except Unavailable:
                self._reachable = False
                raise
            self._reachable = True
        return self._snapshot

    def try_refresh(self) -> None:
        """Read the store now, where that is possible: after a change of this worker's, which is made all the same."""
        with suppress(Unavailable):
            self.refresh()

    def look_up(self) -> Snapshot:
        """Read the store now; keep the old snapshot where that takes LOOK_UP_SECONDS, fails, or has just done so."""
        if self._reachable:
            look = threading.Thread(target=self.try_refresh, name="look-up", daemon=True)
            look.start()
            look.join(LOOK_UP_SECONDS)
            if look.is_alive():  # the store's host does not answer: others would wait as long
                self._reachable = False
        return self._snapshot

    def close(self) -> None:
        """Stop refreshing; wait LAST_SECONDS at most for a refresh under way."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                try:
                    newest = self.refresh()
                finally:
                    self._refreshed.set()  # what follows may wait for the store
                self._then(newest)
            except GatewayError:
                pass  # the store has logged it; the last snapshot stays
            except Exception:
                logger.exception("refreshing the experiments failed")
            self._stop.wait(REFRESH_SECONDS)


def _read(connection: Connection) -> Snapshot:
    revision = rows.revision(connection)
    every = rows.every(connection)
    started = sorted((row for row in every if row.status == "running"), key=lambda row: row.started_at)
    promoted = promotions.current(connection)
    return Snapshot(
        revision=revision,
        signing_key=rows.signing_key(connection),
        default=promoted.variant if promoted else None,
        running={row.name: _running(connection, row) for row in started},
        names={row.name: row.status for row in every},
        flags={row.name: flag(row.spec) for row in every},
        watched=tuple(_watched(connection, row) for row in every if row.status in WATCHED),
    )


def _running(connection: Connection, row: Row) -> Running:
    spec = ExperimentSpec.model_validate(row.spec)
    phase = rows.phases_of(connection, row.id)[-1]
    return Running(
        row.id, row.name, tuple(spec.variants), spec.variants.index(spec.control), spec.paired, spec.slow_ms,
        phase.number, phase.epoch, tuple(phase.versions),
        Split(
            phase.traffic, tuple(phase.weights), phase.traffic_salt, phase.arm_salt, phase.layer_salt,
            tuple(map(tuple, phase.segments or ())),
        ),
        row.follows is not None, spec.layer,
    )  # fmt: skip


def _watched(connection: Connection, row: Row) -> Watched:
    if row.status == "stopped":
        return Watched(row.id, row.name, row.phase, {})
    variants = ExperimentSpec.model_validate(row.spec).variants
    phase = rows.phases_of(connection, row.id)[-1]
    return Watched(row.id, row.name, row.phase, dict(zip(variants, phase.versions, strict=True)))
