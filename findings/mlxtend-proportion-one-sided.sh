#!/usr/bin/env bash
# mlxtend 0.25.0: the p-value of `proportion_difference` is of one side, and depends on the order of the classifiers.
#
# Its documentation says "the p-value" of a test of a difference, which a reader takes for both sides. The p-value of
# equal classifiers is 0.5, and where the better one is named first the difference is never significant.
# Seen: accuracies of 0.85 and 0.95 of 100 images: p 0.008 in this order, 0.992 in the other; of both sides it is 0.017.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: mlxtend==0.25.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'END'
from mlxtend.evaluate import proportion_difference
from scipy.stats import norm

z, p = map(float, proportion_difference(0.85, 0.95, 100))
other = float(proportion_difference(0.95, 0.85, 100)[1])
equal = float(proportion_difference(0.9, 0.9, 100)[1])
both = float(2 * norm.sf(abs(z)))
print(f"p {p:.3f}, in the other order {other:.3f}, of equal ones {equal:.1f}; of both sides {both:.3f}")
assert abs(2 * p - both) < 1e-9 and abs(p + other - 1) < 1e-9 and equal == 0.5, "the behaviour has changed"
END
