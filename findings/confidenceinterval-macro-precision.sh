#!/usr/bin/env bash
# confidenceinterval 1.0.5: of unequal classes, intervals of macro precision are too narrow, of recall too wide.
#
# The delta method needs the products of all pairs of cells; the squares of the cells are subtracted in their place.
# Seen: 500 draws of 1,000 answers, classes of 90, 8 and 2%, nine in ten right: the interval of 95% holds the true macro
# precision in some 79% of them, that of macro recall in 99%.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check confidenceinterval==1.0.5 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 pandas==3.1.1 statsmodels==0.15.0
"$folder/venv/bin/python" - <<'END'
import numpy as np
from confidenceinterval import precision_score, recall_score

shares = np.array([0.9, 0.08, 0.02])
cells = np.diag(shares * 0.9) + np.outer(shares, np.full(3, 1 / 3)) * 0.1  # of true and answered class
precision = float(np.mean(np.diag(cells) / cells.sum(axis=0)))
recall = float(np.mean(np.diag(cells) / cells.sum(axis=1)))
draw = np.random.default_rng(1)
held = np.zeros(2)
DRAWS = 500
for _ in range(DRAWS):
    true, answered = np.divmod(draw.choice(9, 1000, p=cells.ravel() / cells.sum()), 3)
    for each, (score, value) in enumerate(((precision_score, precision), (recall_score, recall))):
        low, high = score(true, answered, average="macro")[1]
        held[each] += low <= value <= high
print(f"95% intervals that hold the true value: precision {held[0] / DRAWS:.1%}, recall {held[1] / DRAWS:.1%}")
assert held[0] / DRAWS < 0.88 and held[1] / DRAWS > 0.98, "the behaviour has changed"
END
