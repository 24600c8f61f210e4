#!/usr/bin/env bash
# mahotas 1.4.19: `imresize` to an image's own size moves it up and left by a pixel, and adds a black edge.
#
# The first row and the first column are lost. `resize.resize_to`, `interpolate.zoom` and `interpolate.shift` do the
# same, with every spline order, to other sizes as well. So a digit that is scaled to a network's frame is off centre.
# Seen: the numbers 0 to 15 in a square of four come back as 5, 6, 7, 0; 9, 10, 11, 0; 13, 14, 15, 0; and zeros.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: mahotas==1.4.19 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import numpy as np
import mahotas
from mahotas import interpolate

image = np.arange(16.0).reshape(4, 4)
moved = np.zeros((4, 4))
moved[:3, :3] = image[1:, 1:]
resized = mahotas.imresize(image, (4, 4))
print(f"resized to its own size:\n{resized.round(6)}")
assert np.allclose(resized, moved), "the behaviour has changed"
assert all(np.allclose(interpolate.zoom(image, 1, order=order), moved) for order in (0, 1, 3)), "the behaviour has changed"
assert np.allclose(interpolate.shift(image, (0, 0)), moved), "the behaviour has changed"
END
