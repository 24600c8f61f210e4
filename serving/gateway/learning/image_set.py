"""Write the image set that training reads: IDX files, and `labels.jsonl` with a line for each image."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson

from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.learning.selection import LabelledImage, Selection

PARTS = {"train": "train", "test": "t10k"}  # by part: the beginning of its files' names, which are MNIST's
LINES, LATEST, CANDIDATE = "labels.jsonl", "latest", "candidate"
UNSIGNED_BYTES = 0x08  # IDX's type
NAME_CHARACTERS = 16
STAGED, GONE = ".new-", ".gone-"  # begin the names of folders whose set is being written, or deleted
STAGED_SECONDS = 600  # after which no command is still at it


def write(folder: Path, chosen: Selection, classes: Sequence[str], image: ImageFormat) -> Path:
    """Write a set into a folder of its own, named for its content, below `folder`; return it.

    A reader finds it whole or not at all. The file `latest` names it.
    """
    files = dict(_files(chosen, classes, image))
    name = hashlib.sha256(b"".join(files.values())).hexdigest()[:NAME_CHARACTERS]
    target = folder / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # people's drawings are nobody else's business
    if not target.is_dir():
        with tempfile.TemporaryDirectory(prefix=STAGED, dir=folder) as staging:
            new = Path(staging) / name
            new.mkdir()
            for file, content in files.items():
                _write(new / file, content)
            os.rename(new, target)
    name_in(folder, LATEST, name)
    return target


def name_in(folder: Path, file: str, name: str) -> None:
    """Replace the content of a file in `folder` by a name."""
    part = folder / f".{file}.{os.getpid()}"
    _write(part, f"{name}\n".encode())
    os.replace(part, folder / file)


def prune(folder: Path, stored: Collection[str], wanted: Collection[str] | None = None) -> list[str]:
    """Delete the sets with an image whose prediction is not `stored` any more, and those that are not `wanted`.

    Return the names of the deleted ones. The latest is wanted in any case, and all are where `wanted` is None.
    """
    latest = folder / LATEST
    named = {*(wanted or ()), latest.read_text().strip() if latest.is_file() else ""}
    gone = []
    for each in sorted(folder.glob(f"*/{LINES}")):
        unwanted = wanted is not None and each.parent.name not in named
        if unwanted or not predictions(each).issubset(stored):
            os.rename(each.parent, Path(tempfile.mkdtemp(prefix=GONE, dir=folder)) / each.parent.name)
            gone.append(each.parent.name)
    if latest.is_file() and latest.read_text().strip() in gone:
        latest.unlink()
    _remove_leftovers(folder)
    return gone


def _remove_leftovers(folder: Path) -> None:
    """Delete the sets that are marked as gone, and those that a killed command began: people drew the images."""
    began = [each for each in folder.glob(f"{STAGED}*") if time.time() - each.stat().st_mtime > STAGED_SECONDS]
    for each in (*folder.glob(f"{GONE}*"), *began):
        with contextlib.suppress(FileNotFoundError):  # another command deletes it
            shutil.rmtree(each)


def predictions(lines: Path) -> set[str]:
    """Return the predictions whose images are in a set, from its `labels.jsonl`."""
    return {orjson.loads(line)["prediction"] for line in lines.read_bytes().splitlines()}


def _files(chosen: Selection, classes: Sequence[str], image: ImageFormat) -> Iterator[tuple[str, bytes]]:
    for part, images in (("train", chosen.train), ("test", chosen.test)):
        begin, count = PARTS[part], len(images)
        pixels = b"".join(each.pixels for each in images)
        yield f"{begin}-images-idx3-ubyte", _idx((count, image.height, image.width), pixels)
        yield f"{begin}-labels-idx1-ubyte", _idx((count,), bytes(classes.index(each.label) for each in images))
    yield (
        LINES,
        b"".join(_line(part, each) for part, of in (("train", chosen.train), ("test", chosen.test)) for each in of),
    )


def _line(part: str, image: LabelledImage) -> bytes:
    line = {
        "part": part, "prediction": image.prediction, "unit": f"{image.unit % 2**64:016x}", "label": image.label,
        "source": image.source, "predicted": image.predicted, "variant": image.variant, "version": image.version,
        "at": datetime.fromtimestamp(image.at, UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    return orjson.dumps(line) + b"\n"


def _idx(shape: Sequence[int], content: bytes) -> bytes:
    sizes = b"".join(size.to_bytes(4) for size in shape)
    return bytes((0, 0, UNSIGNED_BYTES, len(shape))) + sizes + content


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
