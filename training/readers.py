"""Read the files of image sets: IDX, NumPy's archives and CSV, plain or gzip-compressed."""

import gzip
import io
import zlib
from pathlib import Path

import numpy as np

BYTES, INTEGERS = 8, 0x0C  # IDX's types
GZIP = b"\x1f\x8b"


class DataError(Exception):
    """An image set that is missing or damaged; the text names the file, the expected and the found."""


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Return the uint8 array in an IDX file of `dimensions` dimensions."""
    return _array(path, _content(path), BYTES, dimensions)


def read_labels(path: Path) -> np.ndarray:
    """Return the labels in an IDX file, uint8 `[n]`.

    QMNIST's files hold eight int32 an image, the label first (Yadav & Bottou 2019).
    """
    raw = _content(path)
    if raw[:4] != bytes((0, 0, INTEGERS, 2)):
        return _array(path, raw, BYTES, 1)
    labels = _array(path, raw, INTEGERS, 2)[:, 0]
    if len(labels) and not 0 <= labels.min() <= labels.max() <= 255:
        raise DataError(f"{path}: expected labels of 0…255, found {labels.min()}…{labels.max()}")
    return labels.astype(np.uint8)


def idx_bytes(array: np.ndarray) -> bytes:
    """Return the IDX file of a uint8 array."""
    shape = np.array(array.shape, ">u4").tobytes()
    return bytes((0, 0, BYTES, array.ndim)) + shape + array.astype(np.uint8).tobytes()


def read_npz(path: Path) -> list[np.ndarray]:
    """Return the arrays of Keras' mnist.npz: images and labels to train on, and to test with."""
    try:
        with np.load(path) as file:
            return [file[key] for key in ("x_train", "y_train", "x_test", "y_test")]
    except Exception as error:  # numpy, zipfile and zlib each have their own
        raise DataError(
            f"{path}: expected arrays x_train, y_train, x_test, y_test, found a file that fails with: {error}"
        ) from error


def read_csv(path: Path, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images, uint8 `[n, side, side]`, and labels, uint8 `[n]`, of a CSV file: a row has its label, then pixels.

    A line of names may come first.
    """
    text = io.StringIO(_content(path).decode("utf-8-sig", errors="replace"))
    names = 0 if text.readline().lstrip('"')[:1].isdigit() else 1
    text.seek(0)
    try:
        rows = np.loadtxt(text, np.int16, delimiter=",", quotechar='"', skiprows=names, ndmin=2)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path}: expected a label and {side * side} pixels a row, found: {error}") from error
    if rows.shape[1] == side * side:
        raise DataError(
            f"{path}: expected a label and {side * side} pixels a row, found {side * side} columns. "
            "Kaggle's test.csv has no labels: put some rows of train.csv into it instead, and take them out there"
        )
    if rows.shape[1] != side * side + 1:
        raise DataError(f"{path}: expected a label and {side * side} pixels a row, found {rows.shape[1]} columns")
    if not 0 <= rows.min() <= rows.max() <= 255:
        raise DataError(f"{path}: expected labels and pixels of 0…255, found {rows.min()}…{rows.max()}")
    values = rows.astype(np.uint8)
    return values[:, 1:].reshape(-1, side, side), values[:, 0].copy()


def _content(path: Path) -> bytes:
    """Return a file's content, unpacked where it is compressed, whatever its name says."""
    raw = path.read_bytes()
    try:
        return gzip.decompress(raw) if raw.startswith(GZIP) else raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: expected a whole gzip file, found one that is damaged ({error})") from error


def _array(path: Path, raw: bytes, kind: int, dimensions: int) -> np.ndarray:
    """Return the array of an IDX file's content."""
    header = 4 + 4 * dimensions
    magic = bytes((0, 0, kind, dimensions))
    if raw[:4] != magic or len(raw) < header:
        raise DataError(
            f"{path}: expected an IDX file of bytes in {dimensions} dimension(s), which begins with {magic.hex()}, "
            f"found {len(raw)} bytes that begin with {raw[:4].hex() or 'nothing'}"
        )
    dtype = np.dtype(np.uint8 if kind == BYTES else ">i4")
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", dimensions, 4))
    expected = header + dtype.itemsize * int(np.prod(shape, dtype=object))
    if len(raw) != expected:
        raise DataError(
            f"{path}: expected {expected} bytes for the shape {list(shape)} that its header states, found {len(raw)}"
        )
    return np.frombuffer(raw, dtype, offset=header).reshape(shape)
