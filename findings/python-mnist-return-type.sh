#!/usr/bin/env bash
# python-mnist 0.7: `return_type="numpy"` is unknown when the text comes from a file or from the command line.
#
# The constructor compares texts by `in` and takes it; loading compares by `is`, which holds for literals of a program
# alone. The error names the very value that is documented.
# Seen: "unknown return_type 'numpy'" for a value read from JSON; an array for the literal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: python-mnist==0.7 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import json
import struct
import tempfile
import warnings
from pathlib import Path

warnings.simplefilter("ignore", SyntaxWarning)
from mnist import MNIST
from mnist.loader import MNISTException

folder = Path(tempfile.mkdtemp())
folder.joinpath("t10k-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, 3, 2, 2) + bytes(12))
folder.joinpath("t10k-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, 3) + bytes(3))
literal = type(MNIST(str(folder), return_type="numpy").load_testing()[0]).__name__
try:
    MNIST(str(folder), return_type=json.loads('"numpy"')).load_testing()
    read = "loaded"
except MNISTException as error:
    read = str(error)
print(f"as a literal: {literal}; from JSON: {read}")
assert (literal, read) == ("ndarray", "unknown return_type 'numpy'"), "the behaviour has changed"
END
