"""The text-format configuration files that flags name."""

import dataclasses
import logging
import os
from typing import Any, TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.batching.batch import BatchingParameters
from serving.model_server.configuration.settings import ConfigError, Settings
from serving.model_server.configuration.text_messages import make_message
from serving.model_server.rpc.grpc_server import Limits

_log = logging.getLogger(__name__)

# The name of each limit that gRPC has, too, and its unit.
CHANNEL_ARGUMENTS: dict[str, tuple[str, Any]] = {
    "grpc.max_receive_message_length": ("message_bytes", 1),
    "grpc.max_concurrent_streams": ("streams", 1),
    "grpc.max_connection_age_ms": ("age_seconds", 0.001),
}
AnyMessage = TypeVar("AnyMessage", bound=Message)


def read_text_proto(path: str, message: AnyMessage) -> AnyMessage:
    """Fill `message` from the text-format file `path`; raise `ConfigError` with TF Serving's words."""
    try:
        with open(path, encoding="utf-8") as file:
            return text_format.Parse(file.read(), message)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Cannot read {path}: {error}") from error
    except text_format.ParseError as error:
        name = message.DESCRIPTOR.full_name
        raise ConfigError(f"Error parsing text-format {name}: {error}; Invalid protobuf file: '{path}'") from error


def read_models(settings: Settings) -> model_server_config_pb2.ModelServerConfig:
    """Return the models to serve: those of the file, or the one that the flags name."""
    config = model_server_config_pb2.ModelServerConfig()
    if settings.model_config_file:
        return read_text_proto(settings.model_config_file, config)
    config.model_config_list.config.add(
        name=settings.model_name, base_path=os.path.abspath(settings.model_base_path), model_platform="tensorflow"
    )
    return config


def grpc_limits(settings: Settings) -> Limits:
    """Return the limits of the gRPC API, among them those of gRPC's channel arguments that mean something here."""
    limits = Limits(settings.grpc_max_message_bytes)
    for key, value in _channel_arguments(settings.grpc_channel_arguments):
        if key not in CHANNEL_ARGUMENTS:
            _log.warning("--grpc_channel_arguments: %s has no effect in this server", key)
            continue
        if not value.isdecimal():
            raise ConfigError(f"--grpc_channel_arguments: {key} is {value!r}; it must be a number")
        field, unit = CHANNEL_ARGUMENTS[key]
        limits = dataclasses.replace(limits, **{field: int(value) * unit})
    return limits


def _channel_arguments(text: str) -> list[tuple[str, str]]:
    """Split `key=value,key=value`."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    if broken := [key for key, equals, _ in pairs if not equals]:
        raise ConfigError(f"--grpc_channel_arguments: {broken[0]!r} is not key=value")
    return [(key, value) for key, _, value in pairs]


def read_batching(settings: Settings) -> BatchingParameters:
    """Return the parameters of --batching_parameters_file, TF Serving's defaults where it is silent."""
    message: Any = make_message("BatchingParameters")
    if settings.batching_parameters_file:
        read_text_proto(settings.batching_parameters_file, message)
    defaults = BatchingParameters(num_batch_threads=os.cpu_count() or 1)
    numbers = {
        field: getattr(message, field).value if message.HasField(field) else getattr(defaults, field)
        for field in ("max_batch_size", "max_enqueued_batches", "num_batch_threads")
    }
    sizes = tuple(message.allowed_batch_sizes)
    for field, value in numbers.items():
        if value < 1:
            raise ConfigError(f"{settings.batching_parameters_file}: {field} is {value}; it must be 1 or more")
    if sizes and (list(sizes) != sorted(set(sizes)) or sizes[0] < 1 or sizes[-1] != numbers["max_batch_size"]):
        raise ConfigError(
            f"{settings.batching_parameters_file}: allowed_batch_sizes {list(sizes)} must rise, and end with "
            f"max_batch_size, which is {numbers['max_batch_size']}"
        )
    return BatchingParameters(
        batch_timeout_seconds=max(0, message.batch_timeout_micros.value) / 1e6,
        allowed_batch_sizes=sizes,
        pad_variable_length_inputs=message.pad_variable_length_inputs,
        **numbers,
    )


def read_metrics_path(settings: Settings) -> str | None:
    """Return the path at which Prometheus finds metrics, None when it finds none."""
    message: Any = make_message("MonitoringConfig")
    if settings.monitoring_config_file:
        read_text_proto(settings.monitoring_config_file, message)
    if not message.prometheus_config.enable:
        return None
    return message.prometheus_config.path or "/monitoring/prometheus/metrics"
