"""The life cycle of versions: found, loaded, AVAILABLE, and unloaded once another has taken over."""

import contextlib
import dataclasses
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator

from grpc import StatusCode
from tensorflow_serving.apis import get_model_status_pb2, model_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server import models
from serving.model_server.errors import ServingError, as_serving_error, invalid_argument
from serving.model_server.servable import Servable
from serving.model_server.versions import desired_versions, find_versions

State = get_model_status_pb2.ModelVersionStatus
Loader = Callable[[str, int, str], Servable]
_log = logging.getLogger(__name__)


@dataclasses.dataclass
class _Version:
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


class Store:
    """Holds the versions of all models. Every method may be called from any thread."""

    def __init__(self, load: Loader, retries: int, retry_seconds: float, load_threads: int = 0) -> None:
        """Make an empty store whose versions `load` reads, `load_threads` at a time (0: one a core)."""
        self._load = load
        self._retries = retries
        self._retry_seconds = retry_seconds
        self._load_slots = threading.BoundedSemaphore(load_threads or os.cpu_count() or 1)
        self._changed = threading.Condition()
        self._configs: dict[str, model_server_config_pb2.ModelConfig] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._versions: dict[str, dict[int, _Version]] = defaultdict(dict)

    # --- what should be there ---------------------------------------------------------------------------------------

    def configure(self, config: model_server_config_pb2.ModelServerConfig, any_labels: bool = False) -> set[str]:
        """Replace the list of models and return the names of new ones; raise `ServingError` and change nothing."""
        if config.WhichOneof("config") is None:
            return set()
        with self._changed:
            models.check(config, self._configs)
            labels = models.labels(config, self._labels, self._is_available, any_labels)
            new = {model.name: model for model in config.model_config_list.config}
            added = set(new) - set(self._configs)
            removed = set(self._configs) - set(new)
            self._configs, self._labels = new, labels
            for name in removed:
                self._reconcile(name, {})
        self.scan()
        return added

    def scan(self) -> None:
        """Look for versions in the models' folders and start what follows from it."""
        with self._changed:
            configs = list(self._configs.values())
        for config in configs:
            try:
                found = find_versions(config.base_path)
            except OSError as error:
                _log.error("Could not find base path %s of model %s: %s", config.base_path, config.name, error.strerror)
                continue
            if not found:
                _log.warning("No versions of model %s found under %s; is it a number?", config.name, config.base_path)
            with self._changed:
                if self._configs.get(config.name) is config:
                    self._reconcile(config.name, desired_versions(config.name, found, config.model_version_policy))

    def _reconcile(self, name: str, desired: dict[int, str]) -> None:
        versions = self._versions[name]
        for number, version in versions.items():
            version.desired = number in desired
        for number, path in desired.items():
            version = versions.get(number)
            # A version whose load failed is not tried again until it has been away.
            if version is None or (version.state == State.END and version.error is None):
                version = versions[number] = _Version(name, number, path)
                threading.Thread(target=self._bring_up, args=(version,), daemon=True, name=f"load {version}").start()
        self._retire(name)
        self._changed.notify_all()

    def _retire(self, name: str) -> None:
        versions = self._versions[name].values()
        covered = any(version.desired and version.state == State.AVAILABLE for version in versions)
        if not covered and any(version.desired for version in versions):
            return
        for version in versions:
            if version.state == State.AVAILABLE and not version.desired:
                version.state = State.UNLOADING
                threading.Thread(target=self._take_down, args=(version,), daemon=True, name=f"unload {version}").start()

    # --- loading and unloading --------------------------------------------------------------------------------------

    def _bring_up(self, version: _Version) -> None:
        started = time.monotonic()
        servable = self._try_loads(version)
        with self._changed:
            version.servable = servable
            version.state = State.AVAILABLE if servable else State.END
            self._retire(version.name)
            self._changed.notify_all()
        if servable:
            _log.info("Loaded %s from %s in %.2f s", version, version.path, time.monotonic() - started)

    def _try_loads(self, version: _Version) -> Servable | None:
        for attempt in range(self._retries + 1):
            with self._changed:
                version.state = State.LOADING
                self._changed.notify_all()
                if attempt:
                    self._changed.wait_for(lambda: not version.desired, timeout=self._retry_seconds)
                if not version.desired:
                    version.error = None
                    return None
            try:
                with self._load_slots:
                    servable = self._load(version.name, version.number, version.path)
            except Exception as error:  # whatever a broken model raises, the server goes on
                version.error = as_serving_error(error)
                _log.error("Loading %s failed (try %d of %d): %s", version, attempt + 1, self._retries + 1, error)
            else:
                version.error = None
                return servable
        return None

    def _take_down(self, version: _Version) -> None:
        with self._changed:
            self._changed.wait_for(lambda: version.users == 0)
            servable, version.servable = version.servable, None
        if servable:
            servable.close()
        with self._changed:
            version.state = State.END
            self._changed.notify_all()
        _log.info("Unloaded %s", version)

    # --- what is there ----------------------------------------------------------------------------------------------

    def _is_available(self, name: str, number: int) -> bool:
        version = self._versions[name].get(number) if name in self._versions else None
        return version is not None and version.state == State.AVAILABLE

    @contextlib.contextmanager
    def use(self, spec: model_pb2.ModelSpec) -> Iterator[Servable]:
        """Hold the servable that a model_spec means; it is not unloaded before the block ends."""
        with self._changed:
            version = self._find(spec)
            version.users += 1
        try:
            assert version.servable
            yield version.servable
        finally:
            with self._changed:
                version.users -= 1
                if not version.users and version.state == State.UNLOADING:
                    self._changed.notify_all()

    def _find(self, spec: model_pb2.ModelSpec) -> _Version:
        number = self._number(spec)
        available = [v for v in self._versions.get(spec.name, {}).values() if v.state == State.AVAILABLE]
        if number is not None:
            available = [version for version in available if version.number == number]
        if not available:
            request = f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
            raise ServingError(StatusCode.NOT_FOUND, f"Servable not found for request: {request}")
        return max(available, key=lambda version: version.number)

    def _number(self, spec: model_pb2.ModelSpec) -> int | None:
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            number = self._labels.get(spec.name, {}).get(spec.version_label)
            if number is None:
                raise invalid_argument(f"Unrecognized servable version label: {spec.version_label}")
            return number
        return spec.version.value if choice == "version" else None

    def statuses(self, spec: model_pb2.ModelSpec) -> list[State]:
        """Return the states of a model's versions, the highest first, those already unloaded among them."""
        with self._changed:
            number = spec.version.value if spec.HasField("version") else None
            versions = sorted(self._versions.get(spec.name, {}).values(), key=lambda v: v.number, reverse=True)
            if number is not None:
                versions = [version for version in versions if version.number == number]
        if not versions:
            what = "any versions" if number is None else f"version {number}"
            raise ServingError(StatusCode.NOT_FOUND, f"Could not find {what} of model {spec.name}")
        return [_status(version) for version in versions]

    def wait_until_available(self, names: Collection[str], cancelled: Callable[[], bool] = lambda: False) -> None:
        """Wait until each model has an AVAILABLE version; raise `ServingError` when one has failed for good."""
        with self._changed:
            self._changed.wait_for(lambda: cancelled() or all(self._is_settled(name) for name in names))
            failed = [
                v for name in names if not self._has(name, State.AVAILABLE) for v in self._versions[name].values()
            ]
        if failed and not cancelled():
            causes = ", ".join(f"{{{v} due to error: {v.error}}}" for v in failed if v.error)
            count = len({version.name for version in failed})
            raise ServingError(StatusCode.UNKNOWN, f"{count} servable(s) did not become available: {{{causes}}}")

    def wake(self) -> None:
        """Make those who wait look again, for one that has been cancelled."""
        with self._changed:
            self._changed.notify_all()

    def _has(self, name: str, state: int) -> bool:
        return any(version.state == state for version in self._versions[name].values())

    def _is_settled(self, name: str) -> bool:
        versions = [version for version in self._versions[name].values() if version.desired]
        return self._has(name, State.AVAILABLE) or (
            bool(versions) and all(version.state == State.END for version in versions)
        )

    def close(self) -> None:
        """Unload everything once the calls under way are done."""
        with self._changed:
            names, self._configs = list(self._versions), {}
            for name in names:
                self._reconcile(name, {})
            self._changed.wait_for(
                lambda: all(v.state == State.END for name in names for v in self._versions[name].values()), timeout=10
            )


def _status(version: _Version) -> State:
    status = State(version=version.number, state=version.state)
    if version.error:
        status.status.error_code = version.error.code.value[0]
        status.status.error_message = version.error.message
    return status
