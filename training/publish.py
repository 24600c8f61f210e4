"""Publish models: versions that only grow, models.config and the manifest, each whole or not there."""

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jsonschema

from training import files
from training.card import card

SCHEMA = Path(__file__).parent.parent / "models" / "manifest.schema.json"
MANIFEST, CONFIG, CARD, LOCK = "manifest.json", "models.config", "README.md", ".lock"


class ManifestError(ValueError):
    """A manifest that is there and cannot be used."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be used: {why}; mend it, or delete it and train all variants anew")


@contextmanager
def staging(models: Path) -> Iterator[Path]:
    """Hold `models` for one run and give a hidden folder inside it, which is gone at the end; a second run waits.

    Raise ManifestError.
    """
    with _held(models, wait=True):
        _remove_unpublished(models, _versions(read_manifest(models)))
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
    """Return the manifest, or None where there is none; raise ManifestError for one that cannot be used."""
    path = models / MANIFEST
    try:
        manifest = json.loads(path.read_text())
        jsonschema.validate(manifest, json.loads(SCHEMA.read_text()))
    except FileNotFoundError:
        return None
    except jsonschema.ValidationError as error:
        raise ManifestError(path, f"{error.json_path}: {error.message}") from error
    except (OSError, ValueError) as error:
        raise ManifestError(path, str(error)) from error
    return manifest


def published_names(models: Path) -> list[str]:
    """Return the names of the variants that the manifest lists, none without one; raise ManifestError."""
    return list(_versions(read_manifest(models)))


def _versions(manifest: dict[str, Any] | None) -> dict[str, int]:
    """Return the versions that a manifest states, by variant."""
    return {variant["name"]: variant["version"] for variant in manifest["variants"]} if manifest else {}


def next_version(models: Path, variant: str) -> int:
    """Return a version larger than any that the variant has had a folder for."""
    return max(versions(models / variant), default=0) + 1


def versions(folder: Path) -> list[int]:
    """Return the versions in a variant's folder, smallest first."""
    return sorted(int(p.name) for p in folder.glob("*") if p.name.isdecimal() and p.is_dir())


def publish(models: Path, exported: Mapping[str, Path], manifest: dict[str, Any], keep: int) -> None:
    """Move exported models to the versions that `manifest` states, then write models.config, cards and the manifest.

    Of each published variant the newest `keep` versions stay. Raise jsonschema.ValidationError before anything is
    moved where the manifest is not valid. Where writing fails, no model stays moved: servers load what is there.
    """
    jsonschema.validate(manifest, json.loads(SCHEMA.read_text()))
    version = _versions(manifest)
    try:
        for name, folder in exported.items():
            files.sync(folder)
            (models / name).mkdir(exist_ok=True)
            os.rename(folder, models / name / str(version[name]))
        write_config(models, version)
        write_manifest(models, manifest)
    except BaseException:
        published = _versions(read_manifest(models))
        _remove_unpublished(models, {name: published.get(name, 0) for name in exported})
        with suppress(OSError):  # a model without versions holds up the start of its server
            write_config(models, published)
        raise
    for name in exported:
        for old in versions(models / name)[:-keep]:
            shutil.rmtree(models / name / str(old))


def _remove_unpublished(models: Path, published: Mapping[str, int]) -> None:
    """Remove versions newer than those `published`, of a run that had moved them, and ended before it said so."""
    for name, newest in published.items():
        for version in versions(models / name):
            if version > newest:
                shutil.rmtree(models / name / str(version))


def write_manifest(models: Path, manifest: dict[str, Any]) -> None:
    """Write the card of each variant, then the manifest."""
    for variant in manifest["variants"]:
        if (folder := models / variant["name"]).is_dir():
            files.write(folder / CARD, card(manifest, variant))
    files.write(models / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def refresh_config(models: Path) -> None:
    """Write models.config of the published variants, so that it names the paths of this folder. Raise ManifestError.

    It stays as it is while a run holds `models`, which writes it.
    """
    with _held(models, wait=False) as mine:
        published = _versions(read_manifest(models))
        if mine:
            _remove_unpublished(models, published)
            write_config(models, published)


def write_config(models: Path, names: Iterable[str]) -> None:
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
