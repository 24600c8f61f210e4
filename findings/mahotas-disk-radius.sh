#!/usr/bin/env bash
# mahotas 1.4.19: `disk(1)` is a single pixel, and `disk(2)` a square of 3 × 3 pixels in an empty edge.
#
# Pixels at exactly the radius are left out. So a dilation by a disk of radius 1 changes nothing, and one of radius 2
# reaches one pixel to each side.
# Seen: disks of radius 1, 2 and 3 hold 1, 9 and 25 pixels.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: mahotas==1.4.19 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import numpy as np
import mahotas

sizes = [int(mahotas.disk(radius).sum()) for radius in (1, 2, 3)]
image = np.eye(7, dtype=bool)
same = (mahotas.dilate(image, mahotas.disk(1)) == image).all()
print(f"pixels of the disks of radius 1, 2, 3: {sizes}; a dilation by radius 1 changes nothing: {same}")
assert sizes == [1, 9, 25] and same, "the behaviour has changed"
assert mahotas.disk(2)[1:4, 1:4].all() and mahotas.disk(2).shape == (5, 5), "the behaviour has changed"
END
