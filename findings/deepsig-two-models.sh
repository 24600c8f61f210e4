#!/usr/bin/env bash
# deepsig 1.2.8: `multi_aso` of two models never finds one better, however far apart they are.
#
# The correction for several comparisons, the default, adds (1 - level) / comparisons to the level. For one comparison
# that is a level of 100%, so that the bound is 1, or NaN where it has no spread; for ten it is nearly none.
# Seen: scores of 0.92 and 0.90, deviation 0.02: bounds of 1.0 both ways; by `use_bonferroni=False` 0.006.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deepsig==1.2.8 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
"$folder/venv/bin/python" - <<'END'
import numpy as np
from deepsig import multi_aso

draw = np.random.default_rng(0)
draw.normal(size=40)
scores = [list(draw.normal(0.92, 0.02, 20)), list(draw.normal(0.90, 0.02, 20))]
options = {"seed": 1, "show_progress": False, "num_bootstrap_iterations": 200}
corrected, plain = multi_aso(scores, **options), multi_aso(scores, use_bonferroni=False, **options)
print(f"bounds: {corrected[0, 1]}, {corrected[1, 0]}; uncorrected {plain[0, 1]:.4f}, {plain[1, 0]:.4f}")
assert corrected[0, 1] == corrected[1, 0] == 1 and plain[0, 1] < 0.05, "the behaviour has changed"
END
