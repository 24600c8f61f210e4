"""Which versions of a model its folder holds, and which of them its policy asks for."""

import logging
import os
import re

from tensorflow_serving.config import file_system_storage_path_source_pb2 as source_pb2

_NUMBER = re.compile(r"[0-9]+")
_MOST = 2**63 - 1  # versions are int64
_log = logging.getLogger(__name__)


def find_versions(base_path: str) -> dict[int, str]:
    """Return version → folder for each folder in `base_path` whose name is a number; raise `OSError` without one."""
    with os.scandir(base_path) as entries:
        numbered = [entry for entry in entries if _NUMBER.fullmatch(entry.name) and entry.is_dir()]
    return {int(entry.name): entry.path for entry in numbered if int(entry.name) <= _MOST}


def desired_versions(
    name: str, found: dict[int, str], policy: source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy
) -> dict[int, str]:
    """Return those of the `found` versions that `policy` asks for: the latest one where it is silent."""
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return found
    if choice == "specific":
        for number in sorted(set(policy.specific.versions) - set(found)):
            _log.warning("Version %d of model %s, which its policy asks for, is not in its folder", number, name)
        return {number: path for number, path in found.items() if number in policy.specific.versions}
    latest = sorted(found, reverse=True)[: policy.latest.num_versions or 1]
    return {number: found[number] for number in latest}
