"""Publish models: versions that only grow, models.config and the manifest, each whole or not there."""

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema

from training import files
from training.card import card

SCHEMA = Path(__file__).parent.parent / "models" / "manifest.schema.json"
MANIFEST, CONFIG, CARD, LOCK = "manifest.json", "models.config", "README.md", ".lock"


@contextmanager
def staging(models: Path) -> Iterator[Path]:
    """Hold `models` for one run and give a hidden folder inside it, which is gone at the end; a second run waits."""
    with _held(models, wait=True):
        for leftover in models.glob(".staging-*"):  # of a run that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        for each in (models, *filter(Path.is_dir, models.iterdir())):
            files.remove_stale_parts(each)
        folder = models / f".staging-{os.getpid()}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _held(models: Path, *, wait: bool) -> Iterator[bool]:
    """Hold `models` against other runs. Where one has it, wait until it ends, or give False."""
    models.mkdir(parents=True, exist_ok=True)
    with open(models / LOCK, "w") as lock:
        mine = True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            mine = wait
            if wait:
                print(f"training: waiting for another run, which publishes in {models}", file=sys.stderr, flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield mine


def read_manifest(models: Path) -> dict[str, Any] | None:
    """Return the manifest, or None where there is none or it is not valid."""
    try:
        manifest = json.loads((models / MANIFEST).read_text())
        jsonschema.validate(manifest, json.loads(SCHEMA.read_text()))
    except (OSError, ValueError, jsonschema.ValidationError):
        return None
    return manifest


def published_names(models: Path) -> list[str]:
    """Return the names of the variants that the manifest lists, none without a valid manifest."""
    return _names(read_manifest(models))


def _names(manifest: dict[str, Any] | None) -> list[str]:
    return [variant["name"] for variant in manifest["variants"]] if manifest else []


def next_version(models: Path, variant: str) -> int:
    """Return a version larger than any that the variant has had a folder for."""
    return max(versions(models / variant), default=0) + 1


def versions(folder: Path) -> list[int]:
    """Return the versions in a variant's folder, smallest first."""
    return sorted(int(p.name) for p in folder.glob("*") if p.name.isdecimal() and p.is_dir())


def publish(models: Path, exported: Mapping[str, Path], manifest: dict[str, Any], keep: int) -> None:
    """Move exported models to the versions that `manifest` states, then write models.config, cards and the manifest.

    Of each published variant the newest `keep` versions stay. Raise jsonschema.ValidationError before anything is
    moved where the manifest is not valid.
    """
    jsonschema.validate(manifest, json.loads(SCHEMA.read_text()))
    version = {v["name"]: v["version"] for v in manifest["variants"]}
    for name, folder in exported.items():
        (models / name).mkdir(exist_ok=True)
        os.rename(folder, models / name / str(version[name]))
    write_config(models, version)
    write_manifest(models, manifest)
    for name in exported:
        for old in versions(models / name)[:-keep]:
            shutil.rmtree(models / name / str(old))


def write_manifest(models: Path, manifest: dict[str, Any]) -> None:
    """Write the card of each variant, then the manifest."""
    for variant in manifest["variants"]:
        if (folder := models / variant["name"]).is_dir():
            files.write(folder / CARD, card(manifest, variant))
    files.write(models / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def refresh_config(models: Path) -> None:
    """Write models.config of the published variants, so that it names the paths of this folder.

    It stays as it is while a run holds `models`, which writes it, and where the manifest there is not valid.
    """
    with _held(models, wait=False) as mine:
        manifest = read_manifest(models)
        if mine and (manifest or not (models / MANIFEST).exists()):
            write_config(models, _names(manifest))


def write_config(models: Path, names: Mapping[str, int] | list[str]) -> None:
    """Write TF Serving's ModelServerConfig of these variants, unless the same stands there already."""
    entries = "".join(
        f'  config {{\n    name: "{name}"\n    base_path: "{models.resolve() / name}"\n'
        '    model_platform: "tensorflow"\n  }\n'
        for name in names
    )
    text = f"model_config_list {{\n{entries}}}\n"
    models.mkdir(parents=True, exist_ok=True)
    path = models / CONFIG
    if not path.is_file() or path.read_text() != text:
        files.write(path, text)
