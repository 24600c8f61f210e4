"""Check a ModelServerConfig before any of it takes effect."""

import os
from collections.abc import Callable, Mapping

from grpc import StatusCode
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.errors import ServingError, invalid_argument

PLATFORM = "tensorflow"


def check(config: model_server_config_pb2.ModelServerConfig) -> None:
    """Raise `ServingError` unless `config` is a list of SavedModels with names and absolute paths."""
    if config.WhichOneof("config") != "model_config_list":
        raise ServingError(StatusCode.FAILED_PRECONDITION, "Only a model_config_list can be served.")
    names: set[str] = set()
    for model in config.model_config_list.config:
        if not model.name:
            raise invalid_argument(f"A model in the config list has no name (base_path: {model.base_path!r})")
        if model.name in names:
            raise invalid_argument(f"Illegal to list model {model.name} multiple times in config list")
        names.add(model.name)
        _check_platform(model)
        if not os.path.isabs(model.base_path):
            raise invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )


def _check_platform(model: model_server_config_pb2.ModelConfig) -> None:
    platform = model.model_platform
    if model.model_type:
        if platform:
            raise invalid_argument(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform."
            )
        platform = PLATFORM if model.model_type == model_server_config_pb2.TENSORFLOW else str(model.model_type)
    if not platform:
        raise invalid_argument(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    if platform != PLATFORM:
        raise invalid_argument(f"Model {model.name} requests unsupported platform {platform}")


def labels(
    config: model_server_config_pb2.ModelServerConfig,
    old: Mapping[str, Mapping[str, int]],
    is_available: Callable[[str, int], bool],
    allow_unavailable: bool,
) -> dict[str, dict[str, int]]:
    """Return model → label → version; one label for a version that is not AVAILABLE refuses the whole list.

    With `allow_unavailable` a label that is new may name such a version; one that exists may still not move to it.
    """
    for model in config.model_config_list.config:
        for label, version in model.version_labels.items():
            moved = old.get(model.name, {}).get(label, version) != version
            if not is_available(model.name, version) and not (allow_unavailable and not moved):
                raise ServingError(
                    StatusCode.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {model.name}, "
                    "which is not currently available for inference",
                )
    return {model.name: dict(model.version_labels) for model in config.model_config_list.config}
