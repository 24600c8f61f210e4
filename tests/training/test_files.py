import os
from pathlib import Path

import pytest

from training import files


@pytest.mark.parametrize(("content", "read"), [("größer\n", "größer\n".encode()), (b"\x00\xff", b"\x00\xff")])
def test_content_replaces_a_file(tmp_path: Path, content: str | bytes, read: bytes) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    files.write(path, content)
    assert path.read_bytes() == read
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with files.replacing(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.replacing(path) as stream:
        stream.write(b"new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_everyone_may_read_a_file(tmp_path: Path) -> None:
    files.write(tmp_path / "file", "text")
    assert (tmp_path / "file").stat().st_mode & 0o004


def test_parts_of_processes_that_ended_are_removed_and_of_others_stay(tmp_path: Path) -> None:
    own, ended, running = (tmp_path / f".file.{number}.part" for number in (os.getpid(), 2**22 + 1, os.getppid()))
    for part in (own, ended, running, tmp_path / ".other.part"):
        part.touch()
    files.remove_stale_parts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {running.name, ".other.part"}
