#!/usr/bin/env bash
# mahotas 1.4.19: `labeled_sum` adds up an image of bytes in bytes, so sums are modulo 256.
#
# The documentation says that a sum is equal to `np.sum` of the region, which adds in 64 bits, and then that it has the
# image's type. Ink of a scan is lost without a warning; a mask's count is True. Convert to a wide type first.
# Seen: 100 pixels of 200 sum to 32 as uint8, and to 20,000 as int64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: mahotas==1.4.19 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import numpy as np
from mahotas import labeled

image, labels = np.full((10, 10), 200, np.uint8), np.ones((10, 10), int)
narrow, wide = labeled.labeled_sum(image, labels)[1], labeled.labeled_sum(image.astype(np.int64), labels)[1]
mask = labeled.labeled_sum(image > 0, labels)[1]
print(f"100 pixels of 200: {narrow} as uint8, {wide} as int64, np.sum {image.sum()}; the mask's sum: {mask}")
assert (int(narrow), int(wide), int(image.sum())) == (32, 20_000, 20_000), "the behaviour has changed"
assert mask.dtype == bool, "the behaviour has changed"
END
