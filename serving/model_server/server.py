"""Puts the store, its two faces and the watchers of files together, and takes them down again."""

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server import config
from serving.model_server.errors import ServingError
from serving.model_server.grpc_api import ModelService, PredictionService
from serving.model_server.servable import Servable, session_config
from serving.model_server.settings import ConfigError, Settings
from serving.model_server.store import Store
from serving.model_server.warmup import warm_up

_log = logging.getLogger(__name__)


class Server:
    """A running model server."""

    def __init__(self, settings: Settings) -> None:
        """Read the configuration; raise `ConfigError` where it cannot be used."""
        self._settings = settings
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
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
        self._models = config.read_models(settings)
        self._grpc = self._grpc_server()

    def _load(self, name: str, version: int, path: str) -> Servable:
        servable = Servable(name, version, path, self._settings.saved_model_tags.split(","), self._session_config)
        try:
            if self._settings.enable_model_warmup:
                warm_up(servable, self._settings.num_request_iterations_for_warmup)
        except BaseException:
            servable.close()
            raise
        return servable

    def start(self) -> None:
        """Load the models, then open the ports; raise `ServingError` when a model fails for good."""
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
        self._grpc.stop(self._settings.shutdown_grace_seconds).wait()
        self._store.close()

    def stop(self) -> None:
        """Ask the server to end; safe in a signal handler."""
        self._stopped.set()
        threading.Thread(target=self._store.wake).start()

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

    def _grpc_server(self) -> grpc.Server:
        threads = self._settings.grpc_max_threads or 4 * (os.cpu_count() or 1)
        server = grpc.server(
            ThreadPoolExecutor(threads, "grpc"),
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", self._settings.grpc_max_message_bytes),
                ("grpc.max_send_message_length", -1),
                *config.channel_arguments(self._settings.grpc_channel_arguments),
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(self._store), server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(self._store, self._configure), server)
        if self._settings.enable_grpc_healthcheck_service:
            servicer = health.HealthServicer()
            servicer.set("", health_pb2.HealthCheckResponse.SERVING)
            health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        return server

    def _listen(self) -> None:
        settings = self._settings
        addresses = [f"{settings.host}:{settings.port}"]
        if settings.grpc_socket_path:
            addresses.append(f"unix:{settings.grpc_socket_path}")
        for address in addresses:
            try:
                self._grpc.add_insecure_port(address)
            except RuntimeError as error:
                raise ConfigError(f"Cannot listen on {address}: {error}") from error
            _log.info("Running gRPC ModelServer at %s", address)
        self._grpc.start()
