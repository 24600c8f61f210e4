"""The text-format configuration files that flags name."""

import os
import re
from typing import Any, TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.batching.batch import BatchingParameters
from serving.model_server.configuration.settings import ConfigError, Settings
from serving.model_server.configuration.text_messages import make_message

_NUMBER = re.compile(r"[+-]?[0-9]+")
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


def channel_arguments(settings: Settings) -> list[tuple[str, int | str]]:
    """Return gRPC's channel arguments: the limit of a message, and those that the flag adds or replaces."""
    arguments: dict[str, int | str] = {"grpc.max_receive_message_length": settings.grpc_max_message_bytes}
    for pair in filter(None, settings.grpc_channel_arguments.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--grpc_channel_arguments: {key!r} is not key=value")
        # gRPC distinguishes numbers and texts; TF Serving reads whatever is a number as one.
        arguments[key] = int(value) if _NUMBER.fullmatch(value) else value
    return list(arguments.items())


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
