#!/usr/bin/env bash
# gbstats 0.8.0: an arm of weight zero hides an uneven split of the others.
#
# `check_srm` leaves such an arm out of its sum and keeps it in the degrees of freedom, so the p-value grows with each
# arm that is switched off. A split that is an alarm becomes none.
# Seen: 5,300 to 5,000 at equal weights: p 0.003; with one arm of weight zero beside them 0.013, with four 0.12.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: gbstats==0.8.0 numpy==1.26.4 pandas==1.5.3 scipy==1.13.1 setuptools==68.2.2
"$folder/venv/bin/python" - <<'END'
from gbstats.utils import check_srm

p = [float(check_srm([5300, 5000] + [0] * off, [0.5, 0.5] + [0.0] * off)) for off in (0, 1, 4)]
print(f"p with 0, 1 and 4 arms of weight zero: {[round(each, 3) for each in p]}")
assert [round(each, 3) for each in p] == [0.003, 0.013, 0.12], "the behaviour has changed"
END
