import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from testing.digits import FILES, digits, write_idx, write_set
from training import data
from training.data import load
from training.readers import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_set(tmp_path, train=20, test=10)
    return tmp_path


def test_idx_files_load(folder: Path) -> None:
    images = load(folder)
    assert images.train_images.shape == (20, 28, 28)
    assert images.test_labels.tolist() == list(range(10))
    assert images.classes == list("0123456789")
    assert images.name == folder.name


def test_compressed_and_differently_named_files_are_the_same_set(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    for name, theirs in zip(
        FILES, ("a-train-images.idx3-ubyte", "a-train-labels", "a-test-images", "a-test-labels"), strict=True
    ):
        (other / f"{theirs}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    assert load(other).sha256 == load(folder).sha256


def test_gzip_is_known_by_its_bytes(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    for name in FILES[:2]:
        (other / name).write_bytes(gzip.compress((folder / name).read_bytes()))
    for name in FILES[2:]:
        (other / f"{name}.gz").write_bytes((folder / name).read_bytes())
    assert load(other).sha256 == load(folder).sha256


def test_a_macs_attributes_and_unfinished_files_are_skipped(folder: Path) -> None:
    before = load(folder).sha256
    for name in FILES:
        (folder / f"._{name}").write_bytes(b"\0\5\x16\7Mac OS X")
        (folder / f".{name}.1.part").write_bytes(b"\0\0")
    assert load(folder).sha256 == before


def test_a_set_one_level_down_is_held_to_its_checksums(folder: Path) -> None:
    raw = folder / "raw"
    write_set_into(raw)
    for name in FILES:
        (folder / name).unlink()
    assert load(folder).test_labels.tolist() == list(range(10))
    (raw / "MD5SUMS").write_text(f"{'0' * 32}  {FILES[0]}\n")
    with pytest.raises(DataError, match="expected MD5 0000"):
        load(folder)


def write_set_into(folder: Path) -> None:
    folder.mkdir()
    write_set(folder, train=20, test=10)


def test_qmnists_labels_are_read(folder: Path) -> None:
    before = load(folder).sha256
    for name in (FILES[1], FILES[3]):
        labels = np.frombuffer((folder / name).read_bytes(), np.uint8, offset=8)
        rows = np.full((len(labels), 8), 4711, ">i4")
        rows[:, 0] = labels
        header = bytes((0, 0, 12, 2)) + np.array(rows.shape, ">u4").tobytes()
        (folder / name.replace("idx1-ubyte", "idx2-int")).write_bytes(header + rows.tobytes())
        (folder / name).unlink()
    assert load(folder).sha256 == before


@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("form", ["{}", '"{}"'], ids=["plain", "quoted"])
def test_csv_is_the_same_set(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, names: bool, packed: bool, form: str
) -> None:
    """Spreadsheets put a byte-order mark before, and may quote values."""
    images, other = load(folder), tmp_path_factory.mktemp("csv")
    for part in ("train", "test"):
        x, y = getattr(images, f"{part}_images"), getattr(images, f"{part}_labels")
        lines = [",".join(map(form.format, (label, *image.ravel()))) for image, label in zip(x, y, strict=True)]
        header = [",".join(("label", *(f"pixel{at}" for at in range(784))))] if names else []
        text = "\n".join([*header, *lines, ""]).encode("utf-8-sig" if packed else "utf-8")
        (other / f"mnist_{part}.csv").write_bytes(gzip.compress(text) if packed else text)
    assert load(other).sha256 == images.sha256


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("label,pixel0\n", "found"),
        ("1,2,3\n", "found 3 columns"),
        (",".join(["0"] * 784), "found 784 columns. Kaggle's test.csv has no labels: put some rows of train.csv into"),
        (",".join(["0"] * 784 + ["256"]), "found 0…256"),
        (",".join(["0"] * 784 + ["x"]), "found: "),
        (",".join(["0"] * 784 + ["0.5"]), "found: "),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_what_is_no_csv_of_images_is_named(tmp_path: Path, text: str, found: str) -> None:
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=f"train.csv: expected .*{found}"):
        load(tmp_path)


def write_transposed(folder: Path, count: int, prefix: str = "") -> None:
    """Write a set as EMNIST's are, its columns first."""
    folder.mkdir()
    for name, array in zip(FILES, (*digits(count, seed=1), *digits(count, seed=2)), strict=True):
        write_idx(folder / f"{prefix}{name}", array.transpose(0, 2, 1) if array.ndim == 3 else array)


@pytest.mark.parametrize(("count", "prefix"), [(200, "emnist-digits-"), (200, ""), (20, "emnist-digits-")])
@pytest.mark.slow
def test_images_stored_columns_first_are_set_upright(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, prefix: str
) -> None:
    write_transposed(tmp_path / "set", count, prefix)
    found = load(tmp_path)
    assert (found.train_images == digits(count, seed=1)[0]).all()
    assert (found.test_images == digits(count, seed=2)[0]).all()
    said = "the images look stored columns first; they are transposed. --upright leaves them."
    assert said in capsys.readouterr().out
    assert (load(tmp_path, upright=True).train_images == digits(count, seed=1)[0].transpose(0, 2, 1)).all()


@pytest.mark.parametrize("first", [0, 1, 5])
def test_images_grouped_by_class_are_shuffled_with_their_labels(
    folder: Path, capsys: pytest.CaptureFixture[str], first: int
) -> None:
    before = load(folder)
    order = np.argsort((before.train_labels.astype(int) * 3 + first) % 10, kind="stable")
    write_idx(folder / FILES[0], before.train_images[order])
    write_idx(folder / FILES[1], before.train_labels[order])
    found = load(folder)
    assert f"{folder / FILES[0]}: the images are grouped by class; they are shuffled.\n" == capsys.readouterr().out
    assert len(set(found.train_labels[-4:])) > 2
    pairs = [{(x.tobytes(), y) for x, y in zip(s.train_images, s.train_labels, strict=True)} for s in (before, found)]
    assert pairs[0] == pairs[1]
    assert load(folder).sha256 == found.sha256
    assert (load(folder, as_stored=True).train_labels == before.train_labels[order]).all()
    assert (found.test_labels == before.test_labels).all()


@pytest.mark.parametrize(("count", "prefix"), [(200, "emnist-digits-"), (200, ""), (20, "")])
@pytest.mark.slow
def test_upright_images_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, prefix: str) -> None:
    images = digits(count, seed=1)[0]
    for name, array in zip(FILES, (*digits(count, seed=1), *digits(count, seed=2)), strict=True):
        write_idx(tmp_path / f"{prefix}{name}", array)
    assert (load(tmp_path).train_images == images).all()
    assert capsys.readouterr().out == ""


def test_an_npz_is_the_same_set(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    images = load(folder)
    other = tmp_path_factory.mktemp("npz")
    np.savez(
        other / "mnist.npz", x_train=images.train_images, y_train=images.train_labels,
        x_test=images.test_images, y_test=images.test_labels,
    )  # fmt: skip
    assert load(other).sha256 == images.sha256


def test_the_digest_is_of_the_content(folder: Path) -> None:
    before = load(folder).sha256
    x, _ = digits(20, seed=3)
    write_idx(folder / FILES[0], x)
    assert load(folder).sha256 != before


def test_a_truncated_file_is_named_with_its_sizes(folder: Path) -> None:
    path = folder / FILES[0]
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=rf"{path}: expected 15696 bytes for the shape \[20, 28, 28\].*, found 1000"):
        load(folder)


def test_a_damaged_gzip_file_is_named(folder: Path) -> None:
    whole = gzip.compress((folder / FILES[0]).read_bytes())
    (folder / FILES[0]).unlink()
    path = folder / f"{FILES[0]}.gz"
    path.write_bytes(whole[:-100])
    with pytest.raises(DataError, match=f"{path}: expected a whole gzip file"):
        load(folder)


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"", "0 bytes that begin with nothing"), (b"<html></html>", "13 bytes that begin with 3c68746d")],
)
def test_what_is_no_idx_file_is_named(folder: Path, content: bytes, found: str) -> None:
    (folder / FILES[1]).write_bytes(content)
    with pytest.raises(DataError, match=f"{FILES[1]}: expected an IDX file of bytes in 1 .*, found {found}"):
        load(folder)


def test_a_missing_file_is_named_with_what_is_there(folder: Path) -> None:
    (folder / FILES[3]).unlink()
    with pytest.raises(DataError, match=r"no \*t10k-labels\* or \*test-labels\* there, found: t10k-images-idx3-ubyte"):
        load(folder)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found: no such folder"):
        load(tmp_path / "nowhere")


def test_a_file_that_differs_from_the_folders_checksums_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = "".join(f"{hashlib.md5((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in FILES)
    (folder / "MD5SUMS").write_text(sums)
    load(folder)
    raw = bytearray((folder / FILES[0]).read_bytes())
    raw[500] ^= 1
    (folder / FILES[0]).write_bytes(raw)
    with pytest.raises(DataError, match=f"{FILES[0]}: expected MD5 .* found .*; bring back the file that it was"):
        load(folder)
    monkeypatch.setattr(data, "MNIST_MD5", tuple(line.split()[0] for line in sums.splitlines()))
    with pytest.raises(DataError, match="delete the folder's files, and make data fetches MNIST's into data/ again"):
        load(folder)


@pytest.mark.parametrize("form", ["{} *{}\r\n\r\n", "{}  {}\n"], ids=["binary", "text"])
def test_checksums_are_read_as_md5sum_writes_them(tmp_path: Path, form: str) -> None:
    sums = tmp_path / "MD5SUMS"
    sums.write_text(form.format("0" * 31 + "A", "my train-images.gz"))
    assert data.read_sums(sums) == {"my train-images.gz": "0" * 31 + "a"}


@pytest.mark.parametrize("line", ["MD5 (train.csv) = 0", "0" * 32, "train.csv"])
def test_a_line_that_is_no_checksum_is_named(folder: Path, line: str) -> None:
    (folder / "MD5SUMS").write_text(line)
    with pytest.raises(DataError) as caught:
        load(folder)
    expected = "expected an MD5 and a name a line, as md5sum writes them, found"
    assert str(caught.value) == f"{folder / 'MD5SUMS'}: {expected} {line!r}"


def test_images_and_labels_must_be_as_many(folder: Path) -> None:
    write_idx(folder / FILES[1], np.zeros(19, np.uint8))
    with pytest.raises(DataError, match="found 20 images and 19 labels"):
        load(folder)


def test_images_of_another_size_are_refused(folder: Path) -> None:
    write_idx(folder / FILES[2], np.zeros((10, 32, 32), np.uint8))
    with pytest.raises(DataError, match=r"test_images: expected uint8 \[n, 28, 28\], found uint8 \[10, 32, 32\]"):
        load(folder)


def test_too_many_classes_are_refused(folder: Path) -> None:
    write_idx(folder / FILES[1], np.full(20, 255, np.uint8))
    with pytest.raises(DataError, match="expected labels below 255, found 255"):
        load(folder)
