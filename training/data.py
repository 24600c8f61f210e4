"""Read an image set from a folder and check it."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.image_files import NPZ, find
from training.orientation import columns_first
from training.readers import DataError, idx_bytes, read_csv, read_idx, read_labels, read_npz

SIDE = 28
MAX_CLASSES = 255
PARTS = ("train_images", "train_labels", "test_images", "test_labels")
CHECKSUMS = "MD5SUMS"  # as md5sum writes it: a folder that has one is held to it
MNIST_MD5 = (
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
)


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


def load(folder: Path, *, as_stored: bool = False, upright: bool = False) -> ImageSet:
    """Return the one image set in `folder`, or in a folder inside it; raise DataError if it is not right.

    It is in IDX files or CSV, plain or gzip-compressed, or in mnist.npz. Images stored columns first are transposed,
    unless they are said to be `upright`. Images to train on that are grouped by class are shuffled, always alike: the
    last ones are held out. Images wanted `as_stored` are neither.
    """
    files = find(folder)
    _check_sums(files)
    arrays = _read(files)
    _check(folder, arrays)
    if not (as_stored or upright) and columns_first(arrays[0], arrays[1], files[0].name):
        print(
            f"{files[0]}: the images look stored columns first; they are transposed. --upright leaves them.", flush=True
        )
        arrays[::2] = [np.ascontiguousarray(images.transpose(0, 2, 1)) for images in arrays[::2]]
    if not as_stored and _grouped(arrays[1]):
        print(f"{files[0]}: the images are grouped by class; they are shuffled.", flush=True)
        order = np.random.default_rng(0).permutation(len(arrays[1]))
        arrays[:2] = [array[order] for array in arrays[:2]]
    is_mnist = all(hashlib.md5(idx_bytes(a)).hexdigest() == md5 for a, md5 in zip(arrays, MNIST_MD5, strict=True))
    return ImageSet("mnist" if is_mnist else folder.resolve().name, *arrays)


def _read(files: Sequence[Path]) -> list[np.ndarray]:
    """Return the arrays of PARTS in a set's files."""
    if files[0].name == NPZ:
        return read_npz(files[0])
    if len(files) == 2:
        return [array for path in files for array in read_csv(path, SIDE)]
    return [
        read_idx(path, 3) if "images" in part else read_labels(path) for path, part in zip(files, PARTS, strict=True)
    ]


def _grouped(labels: np.ndarray) -> bool:
    """Say whether labels, uint8 `[n]`, of several classes come class by class, in whichever order."""
    changes = np.count_nonzero(labels[1:] != labels[:-1])
    return 0 < changes == len(np.unique(labels)) - 1


def read_sums(path: Path) -> dict[str, str]:
    """Return the MD5 of each file by its name, as md5sum wrote them; none where there is no such file."""
    sums = {}
    for line in path.read_text(errors="replace").splitlines() if path.is_file() else []:
        if line.strip():
            md5, _, name = line.partition(" ")
            if not re.fullmatch("[0-9A-Fa-f]{32}", md5) or not name.strip():
                raise DataError(f"{path}: expected an MD5 and a name a line, as md5sum writes them, found {line!r}")
            sums[name.strip().removeprefix("*")] = md5.lower()
    return sums


def _check_sums(files: Sequence[Path]) -> None:
    sums = files[0].parent / CHECKSUMS
    expected = read_sums(sums)
    remedy = "bring back the file that it was, or delete its line where the new one is right"
    if set(expected.values()) >= set(MNIST_MD5):
        remedy = "delete the folder's files, and make data fetches MNIST's into data/ again"
    for path in files:
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        if expected.get(path.name, md5) != md5:
            raise DataError(f"{path}: expected MD5 {expected[path.name]} as {sums} says, found {md5}; {remedy}")


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
