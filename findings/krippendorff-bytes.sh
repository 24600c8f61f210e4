#!/usr/bin/env bash
# krippendorff 0.9.0: alpha of labels in bytes, as IDX files have them, differs from that of the same integers.
#
# Differences are taken in the labels' own type, where 3 - 5 is 254. The default level of measurement, interval, is
# affected, and the ratio level; the nominal one is not. No warning.
# Seen: six digits of two labellers: 0.948 as int64, 0.640 as uint8; nominal 0.645 for both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: krippendorff==0.9.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import krippendorff
import numpy as np

labels = np.array([[0, 1, 2, 3, 9, 5], [0, 1, 2, 4, 7, 5]])
as_bytes = labels.astype(np.uint8)
wide, narrow = krippendorff.alpha(labels), krippendorff.alpha(as_bytes)
nominal = [krippendorff.alpha(each, level_of_measurement="nominal") for each in (labels, as_bytes)]
print(f"interval: {wide:.3f} and {narrow:.3f}; nominal: {nominal[0]:.3f} and {nominal[1]:.3f}")
assert (round(float(wide), 3), round(float(narrow), 3)) == (0.948, 0.64), "the behaviour has changed"
assert nominal[0] == nominal[1], "the behaviour has changed"
END
