"""Write files whole: a reader finds the old content or the new one, never a part of it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PART = re.compile(r"\..+\.(\d+)\.part")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a stream whose bytes replace `path` when the block ends; an exception leaves `path` as it was."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """Replace `path` by `content`, text in UTF-8."""
    with replacing(path) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


def sync(folder: Path) -> None:
    """Bring a folder and all in it to the disk, so that a loss of power leaves no file of it empty."""
    for path in (folder, *folder.rglob("*")):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_stale_parts(folder: Path) -> None:
    """Remove parts that processes left in `folder` which were killed while they wrote.

    This process writes nothing there yet: a part with its number is of an earlier one, as in a new container.
    """
    for path in folder.glob(".*.part"):
        if (part := PART.fullmatch(path.name)) and not _is_anothers(int(part[1])):
            path.unlink(missing_ok=True)


def _is_anothers(process: int) -> bool:
    """Say whether another process with this number runs."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it runs, as somebody else
        return True
    return True
