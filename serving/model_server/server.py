"""The running server: the registry of models, its two APIs, and the threads that watch files."""

import gc
import logging
import os
import threading
from collections.abc import Callable

from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.batching.batcher import Batcher
from serving.model_server.configuration import files
from serving.model_server.configuration.settings import ConfigError, Settings
from serving.model_server.errors import ServingError
from serving.model_server.inference.service import Service
from serving.model_server.inference.warmup import warm_up
from serving.model_server.metrics import Metrics
from serving.model_server.models.registry import Registry
from serving.model_server.models.servable import BatchingServable, Servable, session_config
from serving.model_server.rest.api import RestApi
from serving.model_server.rest.app import RestApp
from serving.model_server.rest.server import RestServer
from serving.model_server.rpc.addresses import grpc_addresses
from serving.model_server.rpc.grpc_server import GrpcServer
from serving.model_server.rpc.services import serving_methods

_log = logging.getLogger(__name__)


class Server:
    """A running model server."""

    def __init__(self, settings: Settings) -> None:
        """Read the configuration; raise `ConfigError` where it cannot be used."""
        self._settings = settings
        self._stopped = threading.Event()
        self._metrics = Metrics()
        self._rest: RestServer | None = None
        self._registry = Registry(
            self._load,
            settings.max_num_load_retries,
            settings.load_retry_interval_micros / 1e6,
            settings.num_load_threads,
        )
        both = settings.tensorflow_session_parallelism
        self._session_config = session_config(
            settings.tensorflow_intra_op_parallelism or both, settings.tensorflow_inter_op_parallelism or both
        )
        self._batcher = Batcher(files.read_batching(settings)) if settings.enable_batching else None
        self._models = files.read_models(settings)
        self._grpc = self._grpc_server()

    def _load(self, name: str, version: int, path: str) -> Servable:
        tags = self._settings.saved_model_tags.split(",")
        if self._batcher:
            servable: Servable = BatchingServable(name, version, path, tags, self._session_config, self._batcher)
        else:
            servable = Servable(name, version, path, tags, self._session_config)
        try:
            if self._settings.enable_model_warmup:
                warm_up(servable, self._settings.num_request_iterations_for_warmup)
        except BaseException:
            servable.close()
            raise
        return servable

    def start(self) -> None:
        """Load the models, then open the ports; raise `ServingError` when a model fails for good."""
        gc.freeze()  # these objects stay: the collection after each unload need not look at them
        names = self._configure(self._models)
        if self._settings.file_system_poll_wait_seconds > 0:
            self._repeat(self._registry.scan, self._settings.file_system_poll_wait_seconds)
        self._registry.wait_until_available(names, cancelled=self._stopped.is_set)
        if self._stopped.is_set():
            return
        self._listen()
        if self._settings.model_config_file and self._settings.model_config_file_poll_wait_seconds > 0:
            self._repeat(self._reread_models, self._settings.model_config_file_poll_wait_seconds)

    def wait(self) -> None:
        """Block until `stop` is called, then let calls under way finish and unload everything."""
        self._stopped.wait()
        grpc_ended = self._grpc.stop(self._settings.shutdown_grace_seconds)
        if self._rest:
            self._rest.stop()
        grpc_ended.wait()
        self._registry.close(timeout=10)

    def stop(self) -> None:
        """Ask the server to end, also while it waits for its first models."""
        self._stopped.set()
        self._registry.wake()

    def _configure(self, models: model_server_config_pb2.ModelServerConfig) -> set[str]:
        return self._registry.configure(models, self._settings.allow_version_labels_for_unavailable_models)

    def _reread_models(self) -> None:
        try:
            models = files.read_models(self._settings)
            if models != self._models:
                self._configure(models)
                self._models = models
        except (ConfigError, ServingError) as error:
            _log.error("Keeping the old list of models; %s is unusable: %s", self._settings.model_config_file, error)

    def _repeat(self, action: Callable[[], None], seconds: float) -> None:
        def loop() -> None:
            while not self._stopped.wait(seconds):
                action()

        threading.Thread(target=loop, daemon=True, name=action.__name__).start()

    def _grpc_server(self) -> GrpcServer:
        settings = self._settings
        configure = self._configure if settings.allow_reload_config_rpc else None
        services = serving_methods(Service(self._registry, self._metrics, "GRPC"), configure)
        cores = os.cpu_count() or 1
        # A batch can hold no more calls than there are threads to wait for it.
        threads = settings.grpc_max_threads or (64 if settings.enable_batching else 4) * cores
        options = files.channel_arguments(settings)
        return GrpcServer(services, threads, options, settings.enable_grpc_healthcheck_service)

    def _listen(self) -> None:
        settings = self._settings
        for address in grpc_addresses(settings):
            try:
                self._grpc.listen(address)
            except OSError as error:
                raise ConfigError(f"Cannot listen on {address}: {error}") from error
            _log.info("Running gRPC ModelServer at %s", address)
        if settings.rest_api_port:
            self._rest = self._rest_server()
            self._rest.start()
            _log.info("Exporting HTTP/REST API at %s:%d", settings.host, settings.rest_api_port)
        self._grpc.start()

    def _rest_server(self) -> RestServer:
        settings = self._settings
        threads = settings.rest_api_num_threads or 16 * (os.cpu_count() or 1)
        api = RestApi(Service(self._registry, self._metrics, "REST"), settings.rest_api_timeout_in_ms / 1000 or None)
        path = files.read_metrics_path(settings)
        app = RestApp(api, self._metrics, path, threads, settings.rest_api_max_body_bytes)
        try:
            return RestServer((settings.host, settings.rest_api_port), app, threads, settings.shutdown_grace_seconds)
        except OSError as error:
            raise ConfigError(f"Cannot listen on {settings.host}:{settings.rest_api_port}: {error.strerror}") from error
