import gzip
from pathlib import Path

import pytest

from training.image_files import FILES, find
from training.readers import DataError

QMNIST = [f"qmnist-{name}" for name in ("train-images-idx3-ubyte", "train-labels-idx2-int")]
QMNIST += [f"qmnist-{name}" for name in ("test-images-idx3-ubyte", "test-labels-idx2-int")]


def put(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


def named(split: str, ending: str = "") -> list[str]:
    """Return EMNIST's names of a split's files."""
    return [f"emnist-{split}-{name.replace('t10k', 'test')}{ending}" for name in FILES]


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (FILES, FILES),
        ([*(f"._{name}" for name in FILES), *FILES, ".train-images-idx3-ubyte.4711.part"], FILES),
        ([*FILES, *(f"{name}.gz" for name in FILES)], FILES),
        ([*(f"{name}.gz" for name in FILES), "MD5SUMS", "README.md"], [f"{name}.gz" for name in FILES]),
        ([*named("letters", ".gz"), "emnist-letters-mapping.txt"], named("letters", ".gz")),
        ([*QMNIST, "qmnist-test-labels.tsv.gz"], QMNIST),
        (["mnist_test.csv", "mnist_train.csv"], ["mnist_train.csv", "mnist_test.csv"]),
        (["fashion-mnist_test.csv", "fashion-mnist_train.csv", *FILES], FILES),
        (["mnist.npz", *FILES], ["mnist.npz"]),
        (
            ["a-train-images", "b-train-labels", "c-test-images", "t10k-labels"],
            ["a-train-images", "b-train-labels", "c-test-images", "t10k-labels"],
        ),
    ],
)
@pytest.mark.parametrize("below", ["", "raw"])
def test_the_files_of_one_set_are_found(tmp_path: Path, there: list[str], found: list[str], below: str) -> None:
    put(tmp_path / below, *there)
    put(tmp_path / ".cache", *FILES)
    assert [path.relative_to(tmp_path / below).name for path in find(tmp_path)] == list(found)


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        ({"": [*named("letters"), *named("digits")]}, "emnist-digits, emnist-letters"),
        ({"a": FILES, "b": named("digits")}, "a, b/emnist-digits"),
        ({"": ["one-train.csv", "one-test.csv", "two_train.csv", "two_test.csv"]}, "one, two"),
        ({"": [*FILES, *named("digits")]}, f"emnist-digits, {FILES[0]}"),
    ],
)
def test_several_sets_are_named_and_refused(tmp_path: Path, folders: dict[str, list[str]], names: str) -> None:
    for below, there in folders.items():
        put(tmp_path / below, *there)
    with pytest.raises(DataError) as caught:
        find(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: expected one image set, found 2: {names}. Move the files of the one to train on into a folder of "
        "their own, and name it with --data"
    )


@pytest.mark.parametrize("there", [[], [f"._{name}" for name in FILES], ["train.csv"], ["deeper/still/x"]])
def test_what_is_no_set_is_listed(tmp_path: Path, there: list[str]) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(b""))
    shown = "train.csv" if "train.csv" in there else "nothing"
    with pytest.raises(DataError, match=rf"expected mnist.npz or .*; no \*train-images\* there, found: {shown}$"):
        find(tmp_path)
