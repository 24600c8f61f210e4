#!/usr/bin/env bash
# mahotas 1.4.19: `convolve` does not mirror its weights, so it is a correlation.
#
# A kernel for another library's convolution, such as a derivative or a motion blur, works the other way round.
# Seen: a single bright pixel comes back as the kernel turned by 180 degrees, as from `scipy.ndimage.correlate`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: mahotas==1.4.19 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import numpy as np
import mahotas

pixel, kernel = np.zeros((5, 5)), np.arange(1.0, 10.0).reshape(3, 3)
pixel[2, 2] = 1
found = mahotas.convolve(pixel, kernel)[1:4, 1:4]
print(f"a bright pixel by the kernel 1 to 9:\n{found}")
assert (found == kernel[::-1, ::-1]).all() and not (found == kernel).all(), "the behaviour has changed"
END
