"""Say in the manifest which variants' sets of labelled images no longer exist."""

from pathlib import Path

from training import publish


def mark(models: Path, labels: Path) -> list[str]:
    """Bring the manifest in `models` up to date on the sets in `labels`; return the variants whose set has gone."""
    with publish.staging(models):
        manifest = publish.read_manifest(models)
        learned = [v for v in manifest["variants"] if "labels" in v["training"]] if manifest else []
        there = {v["name"]: (labels / v["training"]["labels"]["set"]).is_dir() for v in learned}
        if manifest and any(v["training"]["labels"]["exists"] != there[v["name"]] for v in learned):
            for variant in learned:
                variant["training"]["labels"]["exists"] = there[variant["name"]]
            publish.write_manifest(models, manifest)
    return [name for name, exists in there.items() if not exists]
