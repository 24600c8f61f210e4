#!/usr/bin/env bash
# idx2numpy 1.2.3: an array of 16 bits or more that it has read from a file cannot be written to one.
#
# It reads big-endian arrays, as the file has them, and writes native ones alone, though the format is the same; the
# error says that IDX does not support the type. Images of bytes are not affected; QMNIST's extended labels are of 32
# bits. `array.astype(array.dtype.newbyteorder("="))` mends it.
# Seen: int32 is written and read back as `>i4`; the array read is refused.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check idx2numpy==1.2.3 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import idx2numpy
import numpy as np
from idx2numpy import FormatError

labels = np.arange(6, dtype=np.int32).reshape(2, 3)
read = idx2numpy.convert_from_string(idx2numpy.convert_to_string(labels))
try:
    idx2numpy.convert_to_string(read)
    again = "written"
except FormatError as error:
    again = str(error)
print(f"read as {read.dtype}, equal: {(read == labels).all()}; writing it: {again}")
assert read.dtype.str == ">i4" and (read == labels).all(), "the behaviour has changed"
assert again == "numpy ndarray type not supported by IDX format.", "the behaviour has changed"
idx2numpy.convert_to_string(read.astype(read.dtype.newbyteorder("=")))
END
