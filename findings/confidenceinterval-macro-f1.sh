#!/usr/bin/env bash
# confidenceinterval 1.0.5: the interval of a macro F1 is far too wide, and reaches beyond 1.
#
# It is said to be Takahashi's. There the variance of a class that has no errors is zero; here it is not, so even
# perfect answers get an interval. The bootstrap of the same package has no width there, and the micro average has none
# either.
# Seen: 100 right answers of 100: F1 1.0, 0.861 to 1.139 by the default, 1.0 to 1.0 by the bootstrap.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check confidenceinterval==1.0.5 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 pandas==3.1.1 statsmodels==0.15.0
"$folder/venv/bin/python" - <<'END'
import warnings

from confidenceinterval import f1_score

warnings.simplefilter("ignore")
labels = [0, 1] * 50
_, macro = f1_score(labels, labels, average="macro")
_, micro = f1_score(labels, labels, average="micro")
_, drawn = f1_score(labels, labels, average="macro", method="bootstrap_percentile", n_resamples=99, random_state=1)
for name, (low, high) in (("macro", macro), ("micro", micro), ("macro, bootstrap", drawn)):
    print(f"{name}: {low:.3f} to {high:.3f}")
assert (round(float(macro[0]), 3), round(float(macro[1]), 3)) == (0.861, 1.139), "the behaviour has changed"
assert micro[1] - micro[0] < 1e-6 and drawn[1] - drawn[0] < 1e-6, "the behaviour has changed"
END
