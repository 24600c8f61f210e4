#!/usr/bin/env bash
# mahotas 1.4.19: `fill_polygon` leaves out a polygon's first row, and fills its last one, and both outer columns.
#
# So the mask of a square is no square.
# Seen: the square from (1, 1) to (5, 5) fills rows 2 to 5 and columns 1 to 5.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: mahotas==1.4.19 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import numpy as np
from mahotas import polygon

canvas = np.zeros((8, 8), np.uint8)
polygon.fill_polygon([(1, 1), (1, 5), (5, 5), (5, 1)], canvas)
rows, columns = (np.flatnonzero(canvas.any(axis=axis)).tolist() for axis in (1, 0))
print(f"the square from (1, 1) to (5, 5): rows {rows}, columns {columns}")
assert (rows, columns) == ([2, 3, 4, 5], [1, 2, 3, 4, 5]), "the behaviour has changed"
END
