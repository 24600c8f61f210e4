"""The text-format configuration files that flags name."""

import os
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.settings import ConfigError, Settings

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


def channel_arguments(text: str) -> list[tuple[str, int | str]]:
    """Split `key=value,key=value` into gRPC's form, numbers as integers."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    if broken := [key for key, equals, _ in pairs if not equals]:
        raise ConfigError(f"--grpc_channel_arguments: {broken[0]!r} is not key=value")
    return [(key, int(value) if value.lstrip("-").isdigit() else value) for key, _, value in pairs]
