"""The registry of models: configured by the list of models, asked by requests for servables."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Collection, Iterator

from grpc import StatusCode
from tensorflow_serving.apis import get_model_status_pb2, model_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.configuration import model_list
from serving.model_server.errors import ServingError, invalid_argument
from serving.model_server.models.lifecycle import Loading, Model, State, Version
from serving.model_server.models.servable import Servable
from serving.model_server.models.versions import desired_versions, find_versions

_log = logging.getLogger(__name__)


class Registry:
    """Holds the models. Every method may be called from any thread."""

    def __init__(
        self, load: Callable[[str, int, str], Servable], retries: int, retry_seconds: float, load_threads: int = 0
    ) -> None:
        """Make an empty registry whose versions `load` reads, `load_threads` at a time (0: one a core)."""
        slots = threading.BoundedSemaphore(load_threads or os.cpu_count() or 1)
        self._loading = Loading(load, slots, retries, max(0.0, retry_seconds))
        self._changed = threading.Condition()
        self._configs: dict[str, model_server_config_pb2.ModelConfig] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._models: dict[str, Model] = {}

    def configure(
        self, config: model_server_config_pb2.ModelServerConfig, unavailable_labels: bool = False
    ) -> set[str]:
        """Replace the list of models and return the names of new ones; raise `ServingError` and change nothing."""
        if config.WhichOneof("config") is None:
            _log.info("Taking no action for empty config.")
            return set()
        with self._changed:
            model_list.check(config)
            labels = model_list.labels(config, self._labels, self._is_available, unavailable_labels)
            new = {model.name: model for model in config.model_config_list.config}
            added, removed = set(new) - set(self._configs), set(self._configs) - set(new)
            self._configs, self._labels = new, labels
            for name in added - set(self._models):
                self._models[name] = Model(name, self._loading, self._changed)
            for name in removed:
                self._models[name].reconcile({})
        self.scan()
        return added

    def scan(self) -> None:
        """Look for versions in the models' folders; load and unload accordingly."""
        with self._changed:
            configs = list(self._configs.values())
        for config in configs:
            name = config.name
            try:
                found = find_versions(config.base_path)
            except OSError as error:
                _log.error("Could not find base path %s of model %s: %s", config.base_path, name, error.strerror)
                continue
            if not found:
                _log.warning(
                    "No version of model %s in %s: no folder there has a number as name", name, config.base_path
                )
            with self._changed:
                if name in self._configs and self._configs[name] is config:
                    self._models[name].reconcile(desired_versions(name, found, config.model_version_policy))

    def knows(self, name: str) -> bool:
        """Say whether a model of that name is configured."""
        return name in self._configs

    def _is_available(self, name: str, number: int) -> bool:
        return name in self._models and any(v.number == number for v in self._models[name].available())

    @contextlib.contextmanager
    def use(self, spec: model_pb2.ModelSpec) -> Iterator[Servable]:
        """Hold the servable that a model_spec means; it is not unloaded before the block ends."""
        version = self.acquire(spec)
        try:
            assert version.servable
            yield version.servable
        finally:
            self.release(version)

    def acquire(self, spec: model_pb2.ModelSpec) -> Version:
        """Hold the version that a model_spec means until `release`; raise `ServingError` when there is none."""
        with self._changed:
            version = self._find(spec)
            version.users += 1
            return version

    def release(self, version: Version) -> None:
        """Let go of a version, which may then be unloaded."""
        with self._changed:
            version.users -= 1
            if not version.users and version.state == State.UNLOADING:
                self._changed.notify_all()

    def _find(self, spec: model_pb2.ModelSpec) -> Version:
        number = self._number(spec)
        available = self._models[spec.name].available() if spec.name in self._models else []
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

    def statuses(self, spec: model_pb2.ModelSpec) -> list[get_model_status_pb2.ModelVersionStatus]:
        """Return the states of a model's versions, the highest first, those already unloaded among them."""
        number = spec.version.value if spec.HasField("version") else None
        with self._changed:
            versions = self._models[spec.name].versions if spec.name in self._models else {}
            if number is not None:
                versions = {number: versions[number]} if number in versions else {}
            statuses = [version.status() for _, version in sorted(versions.items(), reverse=True)]
        if not statuses:
            what = "any versions" if number is None else f"version {number}"
            raise ServingError(StatusCode.NOT_FOUND, f"Could not find {what} of model {spec.name}")
        return statuses

    def wait_until_available(self, names: Collection[str], cancelled: Callable[[], bool]) -> None:
        """Wait until each model has an AVAILABLE version; raise `ServingError` when one has failed for good."""
        with self._changed:
            awaited = [self._models[name] for name in names]
            self._changed.wait_for(lambda: cancelled() or all(model.is_settled() for model in awaited))
            failed = [v for model in awaited if not model.available() for v in model.versions.values() if v.error]
        if failed and not cancelled():
            causes = ", ".join(f"{{{version} due to error: {version.error}}}" for version in failed)
            raise ServingError(
                StatusCode.UNKNOWN, f"{len(failed)} servable(s) did not become available: {{{causes}, }}"
            )

    def wake(self) -> None:
        """Let `wait_until_available` ask its `cancelled` again."""
        with self._changed:
            self._changed.notify_all()

    def close(self, timeout: float) -> None:
        """Unload everything, waiting for calls under way for `timeout` seconds at most."""
        with self._changed:
            self._configs = {}
            for model in self._models.values():
                model.reconcile({})
            self._changed.wait_for(lambda: all(model.is_idle() for model in self._models.values()), timeout)
