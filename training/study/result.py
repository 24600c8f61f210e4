"""Keep a trained member's results in one file, written whole or not at all."""

import contextlib
import fcntl
import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training import evaluate, files

FORMAT = 1  # of the files; part of their names


@dataclass(frozen=True)
class Curve:
    """A member during training: arrays `[reports]`; training figures are of a fixed part of the training images."""

    step: np.ndarray
    test_accuracy: np.ndarray
    test_loss: np.ndarray
    train_accuracy: np.ndarray
    train_loss: np.ndarray


@dataclass(frozen=True)
class Result:
    """A member after its last step, dropout off.

    `confidences`, float32 `[n]`, and `predicted`, uint8 `[n]`, are of the test images; losses are mean
    cross-entropies in nats, without a penalty; training figures are of all training images.
    """

    arm: str
    seed: int
    confidences: np.ndarray
    predicted: np.ndarray
    test_loss: float
    test_brier: float
    test_ece: float
    train_accuracy: float
    train_loss: float
    curve: Curve


def measure(
    arm: str, seed: int, test: tuple[np.ndarray, np.ndarray], train: tuple[np.ndarray, np.ndarray], curve: Curve
) -> Result:
    """Return the result of a member from its final probabilities `[n, classes]` and labels `[n]`, test and training."""
    return Result(
        arm, seed, test[0].max(axis=1), test[0].argmax(axis=1).astype(np.uint8), evaluate.cross_entropy(*test),
        evaluate.brier(*test), evaluate.calibration_error(*test), evaluate.accuracy(*train),
        evaluate.cross_entropy(*train), curve,
    )  # fmt: skip


def fingerprint(**parts: Any) -> str:
    """Return a digest of everything that decides a result: JSON of the parts and of FORMAT."""
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def path(folder: Path, arm: str, seed: int, digest: str) -> Path:
    """Return the file of a member's result."""
    return folder / f"{arm}-{seed:04}-{digest}.npz"


def save(file: Path, result: Result) -> None:
    """Write a result; the file is there only when it is complete."""
    scalars = {name: value for name, value in vars(result).items() if name != "curve"}
    curve = {f"curve_{name}": value for name, value in vars(result.curve).items()}
    with files.replacing(file) as stream:
        np.savez(stream, **scalars, **curve)


def load(file: Path) -> Result:
    """Return the result in a file; raise ValueError where it is damaged."""
    try:
        with open(file, "rb") as stream, np.load(stream) as arrays:
            values = {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"{file}: not a whole result ({error}); delete it and run the study again") from error
    curve = Curve(**{name: values.pop(f"curve_{name}") for name in Curve.__dataclass_fields__})
    return Result(**{name: value.item() if value.ndim == 0 else value for name, value in values.items()}, curve=curve)


@contextlib.contextmanager
def locked(folder: Path, members: Iterable[Path]) -> Iterator[None]:
    """Hold members of a folder, to train them; raise ValueError where another process holds one.

    Each has a byte of one file, so that machines with a folder in common train others at the same time.
    """
    with open(folder / ".lock", "w") as lock:
        for member in members:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, zlib.crc32(member.name.encode()))
            except (BlockingIOError, PermissionError) as error:
                raise ValueError(
                    f"{member}: another study trains this member; wait for it, or name another --shard or --folder"
                ) from error
        yield


def fetch(members: Path, sources: Iterable[Path]) -> None:
    """Copy results that the folder `members` lacks from others; equal names are of equal results."""
    for source in sources:
        if not source.is_dir():
            raise ValueError(f"{source}: there are no results to merge; name the --folder of a study")
        for file in sorted(source.glob("*.npz")):
            if not (members / file.name).is_file():
                with files.replacing(members / file.name) as stream:
                    stream.write(file.read_bytes())
