import os
import shutil
import time
from pathlib import Path

import pytest

from serving.gateway.learning import image_set

LINE = b'{"prediction": "p1"}\n'


def half_written(folder: Path, age: float) -> Path:
    new = folder / ".new-abc"
    (new / "0123").mkdir(parents=True)
    (new / "0123" / "train-images-idx3-ubyte").write_bytes(b"drawings")
    os.utime(new, (time.time() - age,) * 2)
    return new


def test_what_a_killed_command_wrote_is_deleted_by_the_next(tmp_path: Path) -> None:
    new = half_written(tmp_path, age=3600)
    assert image_set.prune(tmp_path, {"p1"}) == []
    assert not new.exists()


def test_a_set_that_is_being_written_stays(tmp_path: Path) -> None:
    new = half_written(tmp_path, age=1)
    image_set.prune(tmp_path, {"p1"})
    assert (new / "0123" / "train-images-idx3-ubyte").exists()


def test_a_set_whose_deletion_was_killed_is_deleted_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tmp_path / "0123"
    one.mkdir()
    (one / "train-images-idx3-ubyte").write_bytes(b"drawings")
    (one / "labels.jsonl").write_bytes(LINE)

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(shutil, "rmtree", killed)
        image_set.prune(tmp_path, set())
    assert list(tmp_path.rglob("*-ubyte"))
    image_set.prune(tmp_path, set())
    assert list(tmp_path.iterdir()) == []
