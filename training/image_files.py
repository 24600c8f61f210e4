"""Find the files of one image set in a folder, or in a folder inside it."""

import re
from collections import defaultdict
from pathlib import Path

from training.readers import DataError

NPZ = "mnist.npz"
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
# Where a set's files are named otherwise: EMNIST puts its name before, some write a dot for the second hyphen.
IDX = {
    "*train-images*": re.compile("train-images"),
    "*train-labels*": re.compile("train-labels"),
    "*t10k-images* or *test-images*": re.compile("(t10k|test)-images"),
    "*t10k-labels* or *test-labels*": re.compile("(t10k|test)-labels"),
}
CSV = {"*train*.csv": re.compile(r"train.*\.csv(\.gz)?$"), "*test*.csv": re.compile(r"test.*\.csv(\.gz)?$")}
TABLES = re.compile(r"\.(csv|tsv|txt)(\.gz)?$")
Sets = dict[str, tuple[Path, ...]]


def find(folder: Path) -> tuple[Path, ...]:
    """Return the files of the one set in `folder`, or one level below: an NPZ, two CSV or four IDX files.

    Raise DataError where there is none, or where there are several.
    """
    sets = find_sets(folder)
    if not sets:
        raise DataError(_missing(folder))
    if len(sets) > 1:
        names = [name or files[0].name for name, files in sets.items()]
        raise DataError(
            f"{folder}: expected one image set, found {len(sets)}: {', '.join(sorted(names))}. "
            "Move the files of the one to train on into a folder of their own, and name it with --data"
        )
    return next(iter(sets.values()))


def find_sets(folder: Path) -> Sets:
    """Return all sets in `folder` by name; where there are none, those in the folders in it."""
    if not folder.is_dir():
        return {}
    if found := _sets_of(folder):
        return found
    below = [each for each in sorted(folder.iterdir()) if each.is_dir() and not _is_hidden(each)]
    return {f"{each.name}/{name}".rstrip("/"): files for each in below for name, files in _sets_of(each).items()}


def _is_hidden(path: Path) -> bool:
    """Say whether a name begins with a dot: macOS' attributes of a file, or a part of an unfinished one."""
    return path.name.startswith(".")


def _files(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_file() and not _is_hidden(each))


def _sets_of(folder: Path) -> Sets:
    """Return the sets in a folder itself by the beginning of their files' names."""
    files = _files(folder)
    if (npz := folder / NPZ) in files:
        return {NPZ: (npz,)}
    idx = [each for each in files if not TABLES.search(each.name)]
    return _complete(idx, IDX) or _complete(files, CSV)


def _complete(files: list[Path], parts: dict[str, re.Pattern[str]]) -> Sets:
    """Return the sets that have all `parts`; of a part that is there plain and compressed, the plain one."""
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    alone: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        for part, pattern in parts.items():
            if match := pattern.search(file.name):
                found[file.name[: match.start()].strip("-_. ")].setdefault(part, file)
                alone[part].append(file)
    sets = {name: tuple(of[part] for part in parts) for name, of in found.items() if len(of) == len(parts)}
    if not sets and all(len(alone[part]) == 1 for part in parts):  # each file has a beginning of its own
        sets = {"": tuple(alone[part][0] for part in parts)}
    return sets


def _missing(folder: Path) -> str:
    files = _files(folder) if folder.is_dir() else []
    lacks = next((part for part, named in IDX.items() if not any(named.search(file.name) for file in files)), "set")
    there = ", ".join(file.name for file in files) if folder.is_dir() else "no such folder"
    return (
        f"{folder}: expected {NPZ} or the IDX files {', '.join(FILES)} (plain or .gz), or train.csv and test.csv with "
        f"labels; no {lacks} there, found: {there or 'nothing'}"
    )
