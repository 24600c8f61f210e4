#!/usr/bin/env bash
# savvi 0.3.1: weights that do not sum to 1 are taken, and the test of the split is then wrong without a word.
#
# The check is there, with its message, but asks whether a value of numpy `is False`, which none is. With weights in
# percent the p-value stays at 1 for ever; with those of two of three arms it is 0 for a perfect split.
# Seen: 50 to 50 as weights, 9,900 to 100 units: p 1.0; 0.5 to 0.5: p 0.0. And 0.5 to 0.25, 5,000 to 2,500 units: p 0.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: savvi==0.3.1 numpy==2.4.6 scipy==1.17.1 cvxpy==1.9.3 matplotlib
"$folder/venv/bin/python" - <<'END'
import warnings

import numpy as np
from savvi.multinomial import Multinomial

warnings.simplefilter("ignore")


def p_value(weights, counts):
    test = Multinomial(0.05, np.array(weights))
    for _ in range(10):
        test.update(np.array(counts) // 10)
    return min(1.0, float(test.calculate_p_value()))


p = [
    p_value([0.5, 0.5], [9900, 100]),
    p_value([50.0, 50.0], [9900, 100]),
    p_value([0.5, 0.25], [5000, 2500]),
]
print(f"shares: p {p[0]:.1f}; percent: p {p[1]:.1f}; two of three shares, an exact split: p {p[2]:.1f}")
assert p[0] < 1e-6 and p[1] == 1.0 and p[2] < 1e-6, "the behaviour has changed"
END
