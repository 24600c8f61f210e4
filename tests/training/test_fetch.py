import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from training import fetch, files
from training.image_files import FILES
from training.readers import DataError

CONTENTS = [b"one", b"two", b"three", b"four"]


@pytest.fixture(autouse=True)
def small_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand four short files in for MNIST's: the sums decide what is MNIST."""
    monkeypatch.setattr(fetch, "MNIST_MD5", tuple(hashlib.md5(c).hexdigest() for c in CONTENTS))


def fails() -> list[bytes]:
    raise OSError("no route to host\nand more")


def test_sources_are_tried_in_turn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fetch, "SOURCES", (("first", fails), ("second", lambda: CONTENTS)))
    fetch.ensure(tmp_path)
    assert [(tmp_path / name).read_bytes() for name in FILES] == CONTENTS
    assert "did not work: no route to host\n" in capsys.readouterr().out


def test_what_was_tried_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fetch, "SOURCES", (("first", fails), ("second", fails)))
    with pytest.raises(DataError, match="Tried first: no route to host; second: no route to host. Put its files"):
        fetch.ensure(tmp_path)


def test_a_folder_that_cannot_be_written_is_no_fault_of_a_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fetch, "SOURCES", (("first", lambda: CONTENTS), ("second", fails)))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, pytest.raises(OSError, match="^.Errno 28. No space left on device$"):
        patched.setattr(files, "write", full)
        fetch.ensure(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(DataError, match=f"^{tmp_path} is not yours to write"):
        fetch.ensure(tmp_path)


def test_content_of_another_digest_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fetch, "SOURCES", (("only", lambda: [*CONTENTS[:3], b"fuor"]),))
    with pytest.raises(DataError, match=f"{FILES[3]}: expected MD5 .*, found .*4 bytes"):
        fetch.ensure(tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unfinished_fetch_is_done_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fetch, "SOURCES", (("only", lambda: CONTENTS),))
    fetch.ensure(tmp_path)
    (tmp_path / FILES[2]).unlink()
    fetch.ensure(tmp_path)
    assert (tmp_path / FILES[2]).read_bytes() == CONTENTS[2]


@pytest.mark.parametrize("name", ["{}.gz", "emnist-{}"])
def test_a_set_beside_old_sums_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setattr(fetch, "SOURCES", (("only", lambda: CONTENTS),))
    fetch.ensure(tmp_path)
    for each in FILES:
        (tmp_path / each).rename(tmp_path / name.format(each))
    before = sorted(path.name for path in tmp_path.iterdir())
    fetch.ensure(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_sums_of_another_set_are_no_fetch_that_has_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fetch, "SOURCES", ())
    (tmp_path / "MD5SUMS").write_text("".join(f"{'0' * 32}  {name}\n" for name in FILES))
    (tmp_path / FILES[0]).write_bytes(b"mine")
    fetch.ensure(tmp_path)
    assert not (tmp_path / FILES[1]).exists()


def test_files_that_are_there_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fetch, "SOURCES", ())
    (tmp_path / "emnist-train-images").write_bytes(b"mine")
    fetch.ensure(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["emnist-train-images"]


def test_parts_of_a_killed_fetch_are_no_images_and_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fetch, "SOURCES", (("only", lambda: CONTENTS),))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f".{FILES[0]}.{ended.pid}.part").write_bytes(b"on")
    (tmp_path / f".{FILES[1]}.{os.getppid()}.part").write_bytes(b"tw")
    (tmp_path / f"._{FILES[0]}").write_bytes(b"attributes")
    fetch.ensure(tmp_path)
    assert [(tmp_path / name).read_bytes() for name in FILES] == CONTENTS
    hidden = sorted(path.name for path in tmp_path.glob(".*"))
    assert hidden == [f"._{FILES[0]}", f".{FILES[1]}.{os.getppid()}.part"]


def test_a_set_one_level_down_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fetch, "SOURCES", ())
    (tmp_path / "raw").mkdir()
    for name in FILES:
        (tmp_path / "raw" / name).write_bytes(b"")
    fetch.ensure(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["raw"]
