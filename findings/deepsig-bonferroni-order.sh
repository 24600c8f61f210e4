#!/usr/bin/env bash
# deepsig 1.2.8: `bonferroni_correction` gives corrected p-values to the wrong hypotheses.
#
# They are computed in the order of size; the way back is taken with the order's own permutation, where its inverse is
# needed. Two values, or sorted ones, come out right; of three others a useless arm becomes the significant one.
# Seen: 0.9, 0.001, 0.5 become 1.0, 0.9, 0.003; sorted, 0.001 becomes 0.003.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deepsig==1.2.8 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
"$folder/venv/bin/python" - <<'END'
from deepsig import bonferroni_correction

mixed = [round(float(p), 6) for p in bonferroni_correction([0.9, 0.001, 0.5])]
ordered = [round(float(p), 6) for p in bonferroni_correction([0.001, 0.5, 0.9])]
print(f"of 0.9, 0.001, 0.5: {mixed}; of 0.001, 0.5, 0.9: {ordered}")
assert mixed == [1.0, 0.9, 0.003] and ordered == [0.003, 1.0, 0.9], "the behaviour has changed"
END
