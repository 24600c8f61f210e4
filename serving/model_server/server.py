"""Puts the store, its two faces and the watchers of files together, and takes them down again."""

import gc
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.batching.batcher import Batcher
from serving.model_server.configuration import files as config
from serving.model_server.configuration.settings import ConfigError, Settings
from serving.model_server.errors import ServingError
from serving.model_server.inference.service import Service
from serving.model_server.inference.warmup import warm_up
from serving.model_server.metrics import Metrics
from serving.model_server.models.registry import Store
from serving.model_server.models.servable import BatchingServable, Servable, session_config
from serving.model_server.rest.api import RestApi
from serving.model_server.rest.http_server import HttpServer
from serving.model_server.rpc import services as grpc_api
from serving.model_server.rpc.addresses import grpc_addresses
from serving.model_server.rpc.grpc_server import GrpcServer

_log = logging.getLogger(__name__)


class Server:
    """A running model server."""

    def __init__(self, settings: Settings) -> None:
        """Read the configuration; raise `ConfigError` where it cannot be used."""
        self._settings = settings
        self._stopped = threading.Event()
        self._metrics = Metrics()
        self._http: HttpServer | None = None
        self._store = Store(
            self._load,
            settings.max_num_load_retries,
            settings.load_retry_interval_micros / 1e6,
            settings.num_load_threads,
        )
        both = settings.tensorflow_session_parallelism
        self._session_config = session_config(
            settings.tensorflow_intra_op_parallelism or both, settings.tensorflow_inter_op_parallelism or both
        )
        self._batcher = Batcher(config.read_batching(settings)) if settings.enable_batching else None
        self._models = config.read_models(settings)
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
        gc.freeze()  # what is here stays: the collections after each unload need not look at it
        names = self._configure(self._models)
        if self._settings.file_system_poll_wait_seconds > 0:
            self._repeat(self._store.scan, self._settings.file_system_poll_wait_seconds)
        self._store.wait_until_available(names, cancelled=self._stopped.is_set)
        if self._stopped.is_set():
            return
        self._listen()
        if self._settings.model_config_file and self._settings.model_config_file_poll_wait_seconds > 0:
            self._repeat(self._reread_models, self._settings.model_config_file_poll_wait_seconds)

    def wait(self) -> None:
        """Block until `stop` is called, then let calls under way finish and unload everything."""
        self._stopped.wait()
        grace = self._settings.shutdown_grace_seconds
        grpc_stopped = self._grpc.stop(grace)
        if self._http:
            self._http.stop(grace)
        grpc_stopped.result()
        self._grpc.close()
        self._store.close(timeout=10)

    def stop(self) -> None:
        """Ask the server to end, also while it waits for its first models."""
        self._stopped.set()
        self._store.wake()

    def _configure(self, models: model_server_config_pb2.ModelServerConfig) -> set[str]:
        return self._store.configure(models, self._settings.allow_version_labels_for_unavailable_models)

    def _reread_models(self) -> None:
        try:
            models = config.read_models(self._settings)
            if models != self._models:
                self._configure(models)
                self._models = models
        except (ConfigError, ServingError) as error:
            _log.error(
                "%s is not taken over, the old list of models stays: %s", self._settings.model_config_file, error
            )

    def _repeat(self, action: Callable[[], None], seconds: float) -> None:
        def loop() -> None:
            while not self._stopped.wait(seconds):
                action()

        threading.Thread(target=loop, daemon=True, name=action.__name__).start()

    def _grpc_server(self) -> GrpcServer:
        settings = self._settings
        threads = ThreadPoolExecutor(settings.grpc_max_threads or 4 * (os.cpu_count() or 1), "call")
        service = Service(self._store, self._metrics, "GRPC")
        methods = {**grpc_api.serving_methods(service, self._configure, threads, self._batcher is not None)}
        if settings.enable_grpc_healthcheck_service:
            methods |= grpc_api.health_methods()
        return GrpcServer(methods, config.grpc_limits(settings))

    def _listen(self) -> None:
        settings = self._settings
        for address in grpc_addresses(settings):
            try:
                self._grpc.listen(address)
            except OSError as error:
                raise ConfigError(f"Cannot listen on {address}: {error.strerror}") from error
            _log.info("Running gRPC ModelServer at %s", address)
        if settings.rest_api_port:
            self._http = self._http_server()
            self._http.start()
            _log.info("Exporting HTTP/REST API at %s:%d", settings.host, settings.rest_api_port)

    def _http_server(self) -> HttpServer:
        settings = self._settings
        api = RestApi(Service(self._store, self._metrics, "REST"), settings.rest_api_timeout_in_ms / 1000)
        try:
            return HttpServer(
                (settings.host, settings.rest_api_port),
                api,
                self._metrics,
                config.read_metrics_path(settings),
                max_connections=settings.rest_api_num_threads or 16 * (os.cpu_count() or 1),
                max_body_bytes=settings.rest_api_max_body_bytes,
            )
        except OSError as error:
            raise ConfigError(f"Cannot listen on {settings.host}:{settings.rest_api_port}: {error.strerror}") from error
