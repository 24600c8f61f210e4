"""The life cycle of one model's versions: loaded, AVAILABLE, and unloaded once another answers."""

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Mapping

from tensorflow_serving.apis import get_model_status_pb2

from serving.model_server.errors import ServingError, as_serving_error
from serving.model_server.models.servable import Servable

State = get_model_status_pb2.ModelVersionStatus
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Loading:
    """The loader of versions, its slots, and its retries after a failure."""

    load: Callable[[str, int, str], Servable]
    slots: threading.BoundedSemaphore
    retries: int
    retry_seconds: float


@dataclasses.dataclass
class Version:
    """One version of a model. `users` counts the calls under way on its servable."""

    name: str
    number: int
    path: str
    state: int = State.START
    error: ServingError | None = None
    servable: Servable | None = None
    users: int = 0
    desired: bool = True

    def __str__(self) -> str:
        return f"{{name: {self.name} version: {self.number}}}"

    def status(self) -> get_model_status_pb2.ModelVersionStatus:
        """Return the state as GetModelStatus reports it."""
        status = State(version=self.number, state=self.state)
        status.status.SetInParent()
        if self.error:
            status.status.error_code = self.error.code.value[0]
            status.status.error_message = self.error.message
        return status


class Model:
    """The versions of one model, unloaded ones included. `changed` guards them all and signals changes."""

    def __init__(self, name: str, loading: Loading, changed: threading.Condition) -> None:
        self.name = name
        self.versions: dict[int, Version] = {}
        self._loading = loading
        self._changed = changed

    def available(self) -> list[Version]:
        """Return the versions that answer calls."""
        return [version for version in self.versions.values() if version.state == State.AVAILABLE]

    def is_settled(self) -> bool:
        """Say whether a version is AVAILABLE, or all that are desired have failed for good."""
        desired = [version for version in self.versions.values() if version.desired]
        return bool(self.available()) or (bool(desired) and all(v.state == State.END and v.error for v in desired))

    def is_idle(self) -> bool:
        """Say whether every version is unloaded."""
        return all(version.state == State.END for version in self.versions.values())

    def reconcile(self, desired: Mapping[int, str]) -> None:
        """Load and unload versions until the `desired` ones (version → folder) answer; `changed` must be held."""
        for number, version in self.versions.items():
            version.desired = number in desired
            if not version.desired and version.state == State.END:
                version.error = None  # gone from the folder: it is tried anew when it comes back
            if version.state == State.UNLOADING:
                version.path = desired.get(number, version.path)  # from which it may be loaded again
        for number, path in desired.items():
            old = self.versions.get(number)
            if old is None or (old.state == State.END and old.error is None):
                self._start(number, path)
        self._retire()
        self._changed.notify_all()

    def _start(self, number: int, path: str) -> None:
        version = self.versions[number] = Version(self.name, number, path)
        threading.Thread(target=self._bring_up, args=(version,), daemon=True, name=f"load {version}").start()

    def _end(self, version: Version) -> None:
        """Note that a version is unloaded; load it again where it is desired again by now."""
        version.state = State.END
        if version.desired and version.error is None:
            self._start(version.number, version.path)

    def _retire(self) -> None:
        """Unload the versions that are no longer desired, once another one answers."""
        desired = [version for version in self.versions.values() if version.desired]
        if desired and not any(version.state == State.AVAILABLE for version in desired):
            return
        for version in self.available():
            if not version.desired:
                version.state = State.UNLOADING
                threading.Thread(target=self._take_down, args=(version,), daemon=True, name=f"unload {version}").start()

    def _bring_up(self, version: Version) -> None:
        started = time.monotonic()
        servable = self._try_loads(version)
        with self._changed:
            version.servable = servable
            if servable:
                version.state = State.AVAILABLE
                _log.info("Loaded %s from %s in %.2f s", version, version.path, time.monotonic() - started)
            else:
                self._end(version)
            self._retire()
            self._changed.notify_all()

    def _try_loads(self, version: Version) -> Servable | None:
        tries = self._loading.retries + 1
        for attempt in range(1, tries + 1):
            with self._changed:
                version.state = State.LOADING
                self._changed.notify_all()
                if attempt > 1:
                    self._changed.wait_for(lambda: not version.desired, timeout=self._loading.retry_seconds)
                if not version.desired:
                    version.error = None
                    return None
            try:
                with self._loading.slots:
                    servable = self._loading.load(version.name, version.number, version.path)
            except Exception as error:  # a broken model may raise anything; the others go on
                version.error = as_serving_error(error)
                _log.error("Loading %s failed, try %d of %d: %s", version, attempt, tries, version.error)
            else:
                version.error = None
                return servable
        return None

    def _take_down(self, version: Version) -> None:
        with self._changed:
            self._changed.wait_for(lambda: version.users == 0)
            servable, version.servable = version.servable, None
        if servable:
            servable.close()
        with self._changed:
            _log.info("Unloaded %s", version)
            self._end(version)
            self._changed.notify_all()
