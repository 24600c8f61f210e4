"""Say in the manifest which variants' sets of labelled images no longer exist."""

from pathlib import Path
from typing import Any

from training import publish


def mark(models: Path, labels: Path) -> list[str]:
    """Bring the manifest in `models` up to date on the sets in `labels`; return the variants whose set has gone.

    Where it has to change, this waits for a run that publishes in `models`.
    """
    manifest = publish.read_manifest(models)
    if _differs(manifest, labels):
        with publish.staging(models):
            manifest = publish.read_manifest(models)  # which the other run may have changed
            if manifest and _differs(manifest, labels):
                for variant in _learned(manifest):
                    variant["training"]["labels"]["exists"] = _exists(variant, labels)
                publish.write_manifest(models, manifest)
    return [variant["name"] for variant in _learned(manifest) if not _exists(variant, labels)]


def _learned(manifest: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the variants that learned from labelled images."""
    return [variant for variant in manifest["variants"] if "labels" in variant["training"]] if manifest else []


def _exists(variant: dict[str, Any], labels: Path) -> bool:
    return (labels / variant["training"]["labels"]["set"]).is_dir()


def _differs(manifest: dict[str, Any] | None, labels: Path) -> bool:
    return any(each["training"]["labels"]["exists"] != _exists(each, labels) for each in _learned(manifest))
