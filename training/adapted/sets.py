"""Say in the manifest which variants' sets of labelled images no longer exist."""

import json
from pathlib import Path

from training import files, publish


def mark(models: Path, labels: Path) -> list[str]:
    """Bring the manifest in `models` up to date on the sets in `labels`; return the variants whose set has gone."""
    with publish.staging(models):
        manifest = publish.read_manifest(models)
        learned = [v for v in manifest["variants"] if "labels" in v["training"]] if manifest else []
        there = {v["name"]: (labels / v["training"]["labels"]["set"]).is_dir() for v in learned}
        if any(v["training"]["labels"]["exists"] != there[v["name"]] for v in learned):
            for variant in learned:
                variant["training"]["labels"]["exists"] = there[variant["name"]]
            files.write(models / publish.MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return [name for name, exists in there.items() if not exists]
