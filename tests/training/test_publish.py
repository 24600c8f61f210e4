import errno
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from training import publish


def manifest(**versions: int) -> dict[str, Any]:
    return {
        "schema": 1,
        "created": "2026-11-23T10:00:00Z",
        "data": {"name": "mnist", "sha256": "0" * 64, "train": 60000, "test": 10000},
        "image": {"height": 28, "width": 28, "framing": "mnist"},
        "classes": ["0", "1"],
        "default": next(iter(versions)),
        "variants": [
            {
                "name": name,
                "title": name,
                "version": version,
                "parameters": 1,
                "regularisation": {"dropout": None, "l2": 0.0},
                "training": {"seed": 1, "steps": 1, "batch": 1, "optimizer": "adam", "learning_rate": 0.01},
                "test": {"accuracy": 0.9, "loss": 0.1, "ece": 0.0},
                "history": [{"step": 0, "loss": 2.3, "accuracy": 0.1}],
                "signatures": ["serving_default"],
            }
            for name, version in versions.items()
        ],
    }


def publish_next(models: Path, name: str, keep: int = 3) -> int:
    """Publish a model of one file and return its version."""
    with publish.staging(models) as staged:
        (staged / name).mkdir()
        (staged / name / "saved_model.pb").write_text("model")
        version = publish.next_version(models, name)
        publish.publish(models, {name: staged / name}, manifest(**{name: version}), keep)
    return version


def test_versions_grow_and_the_newest_stay(tmp_path: Path) -> None:
    assert [publish_next(tmp_path, "plain", keep=2) for _ in range(4)] == [1, 2, 3, 4]
    assert publish.versions(tmp_path / "plain") == [3, 4]
    assert (tmp_path / "plain" / "4" / "saved_model.pb").read_text() == "model"


def test_a_version_is_never_used_again(tmp_path: Path) -> None:
    (tmp_path / "plain" / "17").mkdir(parents=True)
    (tmp_path / "plain" / ".99").mkdir()
    assert publish.next_version(tmp_path, "plain") == 18


def test_the_manifest_is_read_back(tmp_path: Path) -> None:
    publish_next(tmp_path, "plain")
    assert publish.read_manifest(tmp_path) == manifest(plain=1)


@pytest.mark.parametrize("text", ["", "{", '{"schema": 1}', "[]"])
def test_a_damaged_manifest_is_named_and_nothing_changes(tmp_path: Path, text: str) -> None:
    """Else a run of one variant would publish it alone, and take the others from serving."""
    publish_next(tmp_path, "plain")
    before = (tmp_path / publish.CONFIG).read_text()
    (tmp_path / publish.MANIFEST).write_text(text)
    named = f"{tmp_path}/manifest.json cannot be used: .*; mend it, or delete it and train all variants anew"
    for use in (publish.read_manifest, publish.refresh_config, partial(publish_next, name="l2")):
        with pytest.raises(publish.ManifestError, match=named):
            use(tmp_path)
    assert (tmp_path / publish.CONFIG).read_text() == before
    assert (tmp_path / publish.MANIFEST).read_text() == text


def test_tf_serving_is_told_absolute_paths(tmp_path: Path) -> None:
    publish_next(tmp_path, "plain")
    assert (tmp_path / "models.config").read_text() == (
        f'model_config_list {{\n  config {{\n    name: "plain"\n    base_path: "{tmp_path}/plain"\n'
        '    model_platform: "tensorflow"\n  }\n}\n'
    )


def test_the_paths_of_a_moved_folder_are_brought_up_to_date(tmp_path: Path) -> None:
    publish_next(tmp_path / "models", "plain")
    moved = (tmp_path / "models").rename(tmp_path / "moved")
    with publish.staging(moved):
        publish.refresh_config(moved)  # a run that holds the folder writes it itself
        assert f'"{moved}/plain"' not in (moved / publish.CONFIG).read_text()
    publish.refresh_config(moved)
    assert f'"{moved}/plain"' in (moved / publish.CONFIG).read_text()


def test_an_empty_folder_can_be_served(tmp_path: Path) -> None:
    publish.refresh_config(tmp_path / "models")
    assert (tmp_path / "models" / publish.CONFIG).read_text() == "model_config_list {\n}\n"


def test_an_invalid_manifest_moves_nothing(tmp_path: Path) -> None:
    publish_next(tmp_path, "plain")
    before = (tmp_path / "manifest.json").read_text()
    with publish.staging(tmp_path) as staged, pytest.raises(jsonschema.ValidationError):
        (staged / "plain").mkdir()
        publish.publish(tmp_path, {"plain": staged / "plain"}, {**manifest(plain=2), "classes": []}, keep=3)
    assert publish.versions(tmp_path / "plain") == [1]
    assert (tmp_path / "manifest.json").read_text() == before


def test_a_manifest_that_cannot_be_written_leaves_the_versions_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers load the newest version that is there, whatever the manifest says."""
    publish_next(tmp_path, "plain")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(publish, "write_manifest", full)
        for name in ("plain", "l2"):
            with pytest.raises(OSError, match="No space left"):
                publish_next(tmp_path, name)
    assert publish.versions(tmp_path / "plain") == [1]
    assert "l2" not in (tmp_path / publish.CONFIG).read_text()  # a server would wait for its first version
    assert publish_next(tmp_path, "plain") == 2


def stage_nothing(models: Path) -> None:
    with publish.staging(models):
        pass


@pytest.mark.parametrize("next_run", [publish.refresh_config, stage_nothing])
def test_a_run_killed_before_it_wrote_the_manifest_is_undone_by_the_next(
    tmp_path: Path, next_run: Callable[[Path], object]
) -> None:
    publish_next(tmp_path, "plain")
    (tmp_path / "plain" / "2").mkdir()
    next_run(tmp_path)
    assert publish.versions(tmp_path / "plain") == [1]


def test_nothing_is_left_of_a_run_that_failed_or_was_killed(tmp_path: Path) -> None:
    (tmp_path / ".staging-1" / "plain").mkdir(parents=True)
    with pytest.raises(RuntimeError), publish.staging(tmp_path) as staged:
        (staged / "plain").mkdir()
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == [".lock"]


def test_everyone_may_read_what_is_published(tmp_path: Path) -> None:
    publish_next(tmp_path, "plain")
    for path in (tmp_path / "plain" / "1", tmp_path / "manifest.json", tmp_path / "models.config"):
        assert path.stat().st_mode & 0o004


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(publish.SCHEMA.read_text()))
