#!/usr/bin/env bash
# mlserver 1.7.1: infinite values of a tensor reach the client as NaN.
#
# JSON has neither. The codec makes null of NaN and leaves infinities; the encoder of answers makes null of those, too.
# Decoded, all three are NaN, so a log-probability of minus infinity is lost without an error.
# Seen: 1, inf, -inf and NaN are sent as 1.0, null, null, null, and decoded as 1, NaN, NaN, NaN.
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

sent = NumpyCodec.encode_output("scores", np.array([[1, np.inf, -np.inf, np.nan]], np.float32))
on_the_way = encode_to_json_bytes(sent.model_dump())
got = NumpyCodec.decode_output(ResponseOutput.model_validate_json(on_the_way))
print(on_the_way.decode(), got)
assert b"[1.0,null,null,null]" in on_the_way, "the behaviour has changed"
assert np.isnan(got).tolist() == [[False, True, True, True]], "the behaviour has changed"
END
