#!/usr/bin/env bash
# autorank 1.3.0: intervals of medians for alpha 0.05 are those for 0.005.
#
# The ranks of an interval of 95% are half a count, give or take 1.96 times half of the count's root; the root of half
# the count is taken, which is 1.41 times as far. Reported intervals are as much too wide.
# Seen: 150 draws of two columns of 50 exponential values: the interval holds the true median in more than 98%.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check autorank==1.3.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 matplotlib==3.11.2 statsmodels==0.15.0 baycomp==1.0.3
"$folder/venv/bin/python" - <<'END'
import contextlib
import io
import math
import warnings

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("Agg")
warnings.simplefilter("ignore")
from autorank import autorank

draw = np.random.default_rng(0)
held, widths = [], []
for _ in range(150):
    scores = pd.DataFrame(draw.exponential(size=(50, 2)), columns=["plain", "dropout"])
    with contextlib.redirect_stdout(io.StringIO()):
        ranks = autorank(scores, alpha=0.05, force_mode="nonparametric").rankdf
    held += ((ranks["ci_lower"] <= math.log(2)) & (math.log(2) <= ranks["ci_upper"])).tolist()
print(f"intervals of 95% that hold the true median: {np.mean(held):.1%} of {len(held)}")
assert np.mean(held) > 0.98, "the behaviour has changed"
END
