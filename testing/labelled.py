"""Write a small set of labelled images, as the gateway's `labels` command does."""

import json
from pathlib import Path

import numpy as np

from testing.digits import digits, write_idx

PARTS = {"train": "train", "test": "t10k"}


def mirrored(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return digits of another hand: mirrored ones, uint8 `[count, 28, 28]`, and their labels."""
    images, labels = digits(count, seed)
    return np.ascontiguousarray(images[:, :, ::-1]), labels


def write_labelled(folder: Path, train: int = 60, test: int = 40, name: str = "set", seed: int = 3) -> Path:
    """Write a set of so many digits, each ten of a unit, below `folder`; return its own folder."""
    target, lines = folder / name, list[dict[str, str]]()
    target.mkdir(parents=True)
    for part, count in (("train", train), ("test", test)):
        images, labels = mirrored(count, seed + len(lines))
        write_idx(target / f"{PARTS[part]}-images-idx3-ubyte", images)
        write_idx(target / f"{PARTS[part]}-labels-idx1-ubyte", labels)
        lines += [
            {"part": part, "prediction": f"{part}.{i}", "unit": f"{i // 10 + 100 * len(part):016x}",
             "label": str(label), "source": "audit", "at": f"2026-01-01T00:{i % 60:02}:00+00:00"}
            for i, label in enumerate(labels)
        ]  # fmt: skip
    (target / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "latest").write_text(f"{name}\n")
    return target
