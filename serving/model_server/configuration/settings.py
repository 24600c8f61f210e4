"""The table of flags, with TF Serving's names; each is also an environment variable."""

import argparse
import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

ENVIRONMENT_PREFIX = "MODEL_SERVER_"
MOST_PORT, MOST_WHOLE = 65_535, 2**31 - 1


class ConfigError(Exception):
    """A flag or a file that cannot be used; the text says which and why."""


def _flag(default: Any, help_text: str, least: float = 0, most: int = MOST_WHOLE) -> Any:
    return dataclasses.field(default=default, metadata={"help": help_text, "least": least, "most": most})


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every flag, its default and its meaning; `MODEL_SERVER_<FLAG IN CAPITALS>` sets the same."""

    host: str = _flag("127.0.0.1", "address to listen on; 0.0.0.0 lets other machines in, who need no key")
    port: int = _flag(8500, "TCP port of the gRPC API; 0 for none", most=MOST_PORT)
    grpc_socket_path: str = _flag("", "Unix socket of the gRPC API, besides the port; for the server's own user alone")
    rest_api_port: int = _flag(0, "TCP port of the REST API; 0 for none", most=MOST_PORT)
    rest_api_num_threads: int = _flag(0, "REST connections served at a time; 0 for 16 a core")
    rest_api_timeout_in_ms: int = _flag(30000, "time limit of a REST request's inference; 0 for none")
    rest_api_max_body_bytes: int = _flag(64 << 20, "largest REST request body, also after decompression")
    model_name: str = _flag("default", "name of the one model at --model_base_path")
    model_base_path: str = _flag("", "folder of the one model; its versions are the numbered folders in it")
    model_config_file: str = _flag("", "text-format ModelServerConfig of the models to serve")
    model_config_file_poll_wait_seconds: float = _flag(0.0, "seconds between looks at --model_config_file; 0 for never")
    file_system_poll_wait_seconds: float = _flag(1.0, "seconds between looks for new versions; 0 looks once", -math.inf)
    max_num_load_retries: int = _flag(5, "how often a failed load is tried again")
    load_retry_interval_micros: int = _flag(60_000_000, "microseconds between two tries of a load")
    num_load_threads: int = _flag(0, "versions loaded at a time; 0 for one a core")
    enable_model_warmup: bool = _flag(True, "replay a version's warm-up records before it is AVAILABLE")
    num_request_iterations_for_warmup: int = _flag(1, "how often each warm-up record is replayed")
    allow_version_labels_for_unavailable_models: bool = _flag(False, "let a new label name a version not yet loaded")
    allow_reload_config_rpc: bool = _flag(False, "let clients replace the models by HandleReloadConfigRequest")
    saved_model_tags: str = _flag("serve", "comma-separated tags of the graph to load")
    enable_batching: bool = _flag(False, "run requests that come close together as one")
    batching_parameters_file: str = _flag("", "text-format BatchingParameters")
    monitoring_config_file: str = _flag("", "text-format MonitoringConfig: whether and where Prometheus finds metrics")
    grpc_channel_arguments: str = _flag(
        "",
        "comma-separated key=value channel arguments of gRPC, such as grpc.max_connection_age_ms=60000",
    )
    grpc_max_threads: int = _flag(0, "gRPC calls answered at a time; more wait; 0 for 4 a core, 64 with batching")
    grpc_max_message_bytes: int = _flag(256 << 20, "largest gRPC request")
    enable_grpc_healthcheck_service: bool = _flag(True, "answer grpc.health.v1")
    tensorflow_session_parallelism: int = _flag(0, "threads within and between operations; 0 for one a core")
    tensorflow_intra_op_parallelism: int = _flag(0, "threads within an operation; 0 for one a core")
    tensorflow_inter_op_parallelism: int = _flag(0, "threads between operations; 0 for one a core")
    shutdown_grace_seconds: float = _flag(20.0, "how long SIGTERM waits for calls under way")


# Flags of TF Serving that are accepted and ignored: they tune parts that this server lacks.
IGNORED_FLAGS = frozenset(
    [
        "enable_signature_method_name_check",
        "enforce_session_run_timeout",
        "flush_filesystem_caches",
        "num_initial_load_threads",
        "num_unload_threads",
        "per_process_gpu_memory_fraction",
        "remove_unused_fields_from_bundle_metagraph",
        "total_model_memory_limit_bytes",
        "xla_cpu_compilation_enabled",
        "xla_gpu_compilation_enabled",
    ]
)
# Flags of TF Serving that cannot be ignored → the remedy.
REFUSED_FLAGS = {
    "ssl_config_file": "put a proxy with TLS in front of it",
    "use_alts_credentials": "put a proxy with TLS in front of it",
    "platform_config_file": "use the flags for sessions and batching",
    "tensorflow_session_config_file": "use --tensorflow_session_parallelism",
    "enable_per_model_batching_parameters": "use --batching_parameters_file",
    "prefer_tflite_model": "serve the SavedModel",
    "rest_api_enable_cors_support": "let the gateway answer browsers",
}


def parse_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read flags, then environment variables for those not given; raise `ConfigError` for unusable ones."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.model_server",
        usage="%(prog)s [--FLAG=VALUE …]",
        description="Serve SavedModels over TF Serving's protocols.",
        epilog=f"Each flag is also an environment variable: --port is {ENVIRONMENT_PREFIX}PORT.",
        allow_abbrev=False,
    )
    fields = dataclasses.fields(Settings)
    for field in fields:
        options: dict[str, Any] = {"nargs": "?", "const": "true"} if field.type is bool else {}
        help_text = f"{field.metadata['help']} (default: {field.default!r})"
        parser.add_argument(f"--{field.name}", help=help_text, **options)
    known, unknown = parser.parse_known_args(arguments)
    for text in unknown:
        name = text.lstrip("-").partition("=")[0]
        if name in REFUSED_FLAGS:
            raise ConfigError(f"--{name} is a flag that this server does not support: {REFUSED_FLAGS[name]}.")
        if name not in IGNORED_FLAGS:
            raise ConfigError(f"{text!r} is no flag of this server; --help lists them.")
    settings = Settings(**{field.name: _value(field, getattr(known, field.name), environment) for field in fields})
    _check(settings)
    return settings


def usable(field: dataclasses.Field[Any]) -> str:
    """Return the usable values of a flag in words."""
    if field.type is bool:
        return "true or false"
    if field.type is str:
        return "any text"
    kind = "a whole number" if field.type is int else "a number"
    if field.metadata["least"] < 0:
        return f"{kind} up to {field.metadata['most']}"
    return f"{kind} from {field.metadata['least']} to {field.metadata['most']}"


def _value(field: dataclasses.Field[Any], given: str | None, environment: Mapping[str, str]) -> Any:
    """Return the value of a flag, else of its variable, else the default; raise `ConfigError` for an unusable one."""
    variable = ENVIRONMENT_PREFIX + field.name.upper()
    text, source = (environment.get(variable), variable) if given is None else (given, f"--{field.name}")
    if text is None:
        return field.default
    try:
        return _read(field, text)
    except (ValueError, LookupError):  # of a number, of true and false
        must = f"it must be {usable(field)} (default {field.default!r})"
        raise ConfigError(f"{source}={text!r} cannot be used: {must}.") from None


def _read(field: dataclasses.Field[Any], text: str) -> Any:
    if field.type is str:
        return text
    if field.type is bool:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    if field.type is int and not re.fullmatch("-?[0-9]+", text):
        raise ValueError(text)
    number = int(text) if field.type is int else float(text)
    if not field.metadata["least"] <= number <= field.metadata["most"]:
        raise ValueError(text)
    return number


def _check(settings: Settings) -> None:
    if not settings.model_config_file and not settings.model_base_path:
        raise ConfigError("No model to serve: give --model_config_file or --model_base_path.")
    if settings.batching_parameters_file and not settings.enable_batching:
        raise ConfigError("--batching_parameters_file is set without --enable_batching.")
    if not (settings.port or settings.grpc_socket_path or settings.rest_api_port):
        raise ConfigError("Nothing to listen on: give --port, --grpc_socket_path or --rest_api_port.")
    if settings.rest_api_port and settings.rest_api_port == settings.port:
        raise ConfigError(f"--rest_api_port cannot be same as --port ({settings.port}); give each its own.")
