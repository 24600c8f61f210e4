#!/usr/bin/env bash
# mahotas 1.4.19: `dilate` of a grey image adds one to every pixel, and `erode` takes one away, by their defaults.
#
# Their default structuring element is a cross of ones, whose values count as heights for grey images; boolean images
# take the same cross as flat. `open` and `close`, which do both, hide it.
# Seen: an even image of 100 becomes 101 by dilation and 99 by erosion.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: mahotas==1.4.19 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import numpy as np
import mahotas

image = np.full((5, 5), 100, np.uint8)
dilated, eroded = np.unique(mahotas.dilate(image)), np.unique(mahotas.erode(image))
both = np.unique(mahotas.open(image)), np.unique(mahotas.close(image))
print(f"an even image of 100: dilated {dilated}, eroded {eroded}, opened and closed {both}")
assert (dilated.tolist(), eroded.tolist()) == ([101], [99]), "the behaviour has changed"
assert [each.tolist() for each in both] == [[100], [100]], "the behaviour has changed"
END
