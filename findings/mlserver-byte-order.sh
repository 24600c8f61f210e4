#!/usr/bin/env bash
# mlserver 1.7.1: an array of big-endian numbers, as files of IDX and HDF5 give it, cannot be encoded.
#
# The type is looked up by its name, which has the byte order in it; the error is a bare `KeyError` of the type's kind.
# Numbers go as JSON, where the order does not matter. `astype(array.dtype.newbyteorder("="))` mends it.
# Seen: `KeyError: 'i'` for big-endian int32, INT32 for native int32 of the same values.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: mlserver==1.7.1
"$folder/venv/bin/python" - <<'END'
import numpy as np
from mlserver.codecs import NumpyCodec

read = np.frombuffer(bytes([0, 0, 0, 7, 0, 0, 0, 9]), ">i4").reshape(1, 2)
native = NumpyCodec.encode_output("labels", read.astype(np.int32)).datatype
try:
    big = NumpyCodec.encode_output("labels", read).datatype
except KeyError as error:
    big = repr(error)
print(f"native: {native}; big-endian: {big}")
assert (native, big) == ("INT32", "KeyError('i')"), "the behaviour has changed"
END
