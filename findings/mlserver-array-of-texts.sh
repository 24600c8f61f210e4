#!/usr/bin/env bash
# mlserver 1.7.1: an array of texts that `NumpyCodec` has encoded cannot be decoded by it.
#
# Each text is encoded to bytes of its own length; the decoder takes all bytes for numbers of equal width, the shape's
# last one. Through JSON it works, since the bytes become texts there; within a process it does not. `StringCodec` takes
# lists.
# Seen: "buffer size must be a multiple of element size" for two class names; the same through JSON comes back whole.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: mlserver==1.7.1
"$folder/venv/bin/python" - <<'END'
import numpy as np
from mlserver.codecs import NumpyCodec
from mlserver.codecs.json import encode_to_json_bytes
from mlserver.types import ResponseOutput

names = np.array([["seven", "nine"]])
encoded = NumpyCodec.encode_output("names", names)
try:
    direct = str(NumpyCodec.decode_output(encoded))
except ValueError as error:
    direct = str(error)
by_json = NumpyCodec.decode_output(ResponseOutput.model_validate_json(encode_to_json_bytes(encoded.model_dump())))
print(f"decoded: {direct}; through JSON: {by_json.tolist()}")
assert direct == "buffer size must be a multiple of element size", "the behaviour has changed"
assert by_json.tolist() == names.tolist(), "the behaviour has changed"
END
