#!/usr/bin/env bash
# elasticdeform 0.5.1: displacements in whole numbers move an image elsewhere than the same numbers as floats.
#
# The coefficients of the grid's spline are kept in the displacements' own type, so those of integers are cut off.
# Moving everything by a pixel, `np.ones(…, int)`, tears the image apart. No warning.
# Seen: a displacement of 1.0 everywhere moves the image by exactly a pixel; 1 everywhere differs from that by up to
# 102.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: elasticdeform==0.5.1 numpy==1.26.4 scipy==1.13.1
"$folder/venv/bin/python" - <<'END'
import elasticdeform
import numpy as np

image = np.zeros((28, 28), np.float32)
image[6:22, 12:16] = 255
displacement = np.zeros((2, 4, 4))
displacement[0] = 1
moved = elasticdeform.deform_grid(image, displacement, order=1)[:-1]
torn = elasticdeform.deform_grid(image, displacement.astype(int), order=1)[:-1]
by_floats, by_integers = np.abs(moved - image[1:]).max(), np.abs(torn - image[1:]).max()
print(f"difference from the image a pixel further: {by_floats:.0f} by floats, {by_integers:.0f} by integers")
assert by_floats < 1e-3 and round(float(by_integers)) == 102, "the behaviour has changed"
END
