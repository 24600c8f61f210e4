"""Read an image set from a folder and check it."""

import gzip
import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIDE = 28
MAX_CLASSES = 255
PARTS = ("train_images", "train_labels", "test_images", "test_labels")
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
# Where a set's files are named otherwise: EMNIST puts its name before, some write a dot for the second hyphen.
PATTERNS = (
    ("*train-images*",),
    ("*train-labels*",),
    ("*t10k-images*", "*test-images*"),
    ("*t10k-labels*", "*test-labels*"),
)
CHECKSUMS = "MD5SUMS"  # as md5sum writes it: a folder that has one is held to it
MNIST_MD5 = (
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
)


class DataError(Exception):
    """An image set that is missing or damaged; the text names the file, the expected and the found."""


@dataclass(frozen=True)
class ImageSet:
    """Images, uint8 `[n, 28, 28]`, and labels, uint8 `[n]`, to train on and to test with."""

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    @property
    def classes(self) -> list[str]:
        """Return the classes' names: the labels from 0 to the largest."""
        return [str(i) for i in range(int(max(self.train_labels.max(), self.test_labels.max())) + 1)]

    @property
    def sha256(self) -> str:
        """Return a digest of the set's content, whatever files it came in."""
        digest = hashlib.sha256()
        for part in PARTS:
            digest.update(idx_bytes(getattr(self, part)))
        return digest.hexdigest()


def load(folder: Path) -> ImageSet:
    """Return the image set in `folder`, IDX files (plain or .gz) or mnist.npz; raise DataError if it is not right."""
    npz = folder / "mnist.npz"
    if npz.is_file():
        arrays = _read_npz(npz)
    else:
        files = [_find(folder, patterns) for patterns in PATTERNS]
        _check_sums(folder, files)
        arrays = [read_idx(path, 3 if "images" in part else 1) for path, part in zip(files, PARTS, strict=True)]
    _check(folder, arrays)
    is_mnist = all(hashlib.md5(idx_bytes(a)).hexdigest() == md5 for a, md5 in zip(arrays, MNIST_MD5, strict=True))
    return ImageSet("mnist" if is_mnist else folder.resolve().name, *arrays)


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Return the uint8 array in an IDX file of `dimensions` dimensions, plain or gzip-compressed."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: expected a whole gzip file, found one that is damaged ({error})") from error
    header = 4 + 4 * dimensions
    magic = bytes((0, 0, 8, dimensions))
    if raw[:4] != magic or len(raw) < header:
        raise DataError(
            f"{path}: expected an IDX file of bytes in {dimensions} dimension(s), which begins with {magic.hex()}, "
            f"found {len(raw)} bytes that begin with {raw[:4].hex() or 'nothing'}"
        )
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", dimensions, 4))
    expected = header + int(np.prod(shape, dtype=object))
    if len(raw) != expected:
        raise DataError(
            f"{path}: expected {expected} bytes for the shape {list(shape)} that its header states, found {len(raw)}"
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def idx_bytes(array: np.ndarray) -> bytes:
    """Return the IDX file of a uint8 array."""
    shape = np.array(array.shape, ">u4").tobytes()
    return bytes((0, 0, 8, array.ndim)) + shape + array.astype(np.uint8).tobytes()


def _find(folder: Path, patterns: Sequence[str]) -> Path:
    found = sorted(path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    if not found:
        there = ", ".join(sorted(p.name for p in folder.iterdir())) if folder.is_dir() else "no such folder"
        raise DataError(
            f"{folder}: expected mnist.npz or the IDX files {', '.join(FILES)} (plain or .gz); "
            f"no {' or '.join(patterns)} there, found: {there or 'nothing'}"
        )
    return found[0]


def _check_sums(folder: Path, files: Sequence[Path]) -> None:
    sums = folder / CHECKSUMS
    if not sums.is_file():
        return
    expected = {name: md5 for md5, name in (line.split() for line in sums.read_text().splitlines())}
    for path in files:
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        if expected.get(path.name, md5) != md5:
            raise DataError(
                f"{path}: expected MD5 {expected[path.name]} as {sums} says, found {md5}; "
                f"delete the folder's files and they are fetched again"
            )


def _read_npz(path: Path) -> list[np.ndarray]:
    try:
        with np.load(path) as file:
            return [file[key] for key in ("x_train", "y_train", "x_test", "y_test")]
    except Exception as error:  # numpy, zipfile and zlib each have their own
        raise DataError(
            f"{path}: expected arrays x_train, y_train, x_test, y_test, found a file that fails with: {error}"
        ) from error


def _check(folder: Path, arrays: Sequence[np.ndarray]) -> None:
    for part, array in zip(PARTS, arrays, strict=True):
        expected = f"uint8 [n, {SIDE}, {SIDE}]" if "images" in part else "uint8 [n]"
        if array.dtype != np.uint8 or array.shape[1:] != ((SIDE, SIDE) if "images" in part else ()) or not len(array):
            raise DataError(f"{folder}, {part}: expected {expected}, found {array.dtype} {list(array.shape)}")
    for images, labels in (arrays[:2], arrays[2:]):
        if len(images) != len(labels):
            raise DataError(
                f"{folder}: expected a label for each image, found {len(images)} images and {len(labels)} labels"
            )
    if (most := max(int(arrays[1].max()), int(arrays[3].max()))) >= MAX_CLASSES:
        raise DataError(f"{folder}: expected labels below {MAX_CLASSES}, found {most}")
