#!/usr/bin/env bash
# mahotas 1.4.19: `labeled_max` of floats is never below the smallest positive float, whatever a region holds.
#
# The documentation says that it is equal to `np.max` of the region. Differences from a background, or logarithms, are
# negative, and a region of zeros looks as if it had a peak. Integers come out right.
# Seen: the maximum of a region of -1.0, or of 0.0, is 2.2e-308; of one of -1, it is -1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: mahotas==1.4.19 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import numpy as np
from mahotas import labeled

labels = np.ones((4, 4), int)
found = {value: labeled.labeled_max(np.full((4, 4), value), labels)[1] for value in (-1.0, 0.0, 1.0)}
whole = labeled.labeled_max(np.full((4, 4), -1), labels)[1]
print(f"maxima of regions of one value: {({value: float(each) for value, each in found.items()})}; of -1: {whole}")
assert found[-1.0] == found[0.0] == np.finfo(float).tiny, "the behaviour has changed"
assert (found[1.0], whole) == (1.0, -1), "the behaviour has changed"
END
