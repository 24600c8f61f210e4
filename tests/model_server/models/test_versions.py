from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.file_system_storage_path_source_pb2 import FileSystemStoragePathSourceConfig

from serving.model_server.models.versions import desired_versions, find_versions

Policy = FileSystemStoragePathSourceConfig.ServableVersionPolicy


def test_versions_are_folders_whose_name_is_a_number(tmp_path: Path) -> None:
    for name in ("1", "00000123", ".2.tmp", "latest", "1_0", "-4", " 5", "٣", "9" * 30, f"{2**63}", f"{2**63 - 1}"):
        (tmp_path / name).mkdir()
    (tmp_path / "7").write_text("a file")
    assert find_versions(str(tmp_path)) == {
        1: str(tmp_path / "1"), 123: str(tmp_path / "00000123"), 2**63 - 1: str(tmp_path / f"{2**63 - 1}")
    }  # fmt: skip


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find_versions(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [
        ("", {3}),
        ("latest {}", {3}),
        ("latest { num_versions: 2 }", {3, 2}),
        ("latest { num_versions: 9 }", {3, 2, 1}),
        ("all {}", {3, 2, 1}),
        ("specific { versions: 1 versions: 3 }", {1, 3}),
        ("specific { versions: 7 }", set()),
    ],
)
def test_the_policy_chooses(policy: str, numbers: set[int], caplog: pytest.LogCaptureFixture) -> None:
    found = {number: f"/m/{number}" for number in (1, 2, 3)}
    desired = desired_versions("m", found, text_format.Parse(policy, Policy()))
    assert desired == {number: f"/m/{number}" for number in numbers}
    if "7" in policy:
        assert "Version 7 of model m, which its policy asks for, is not in its folder" in caplog.text
