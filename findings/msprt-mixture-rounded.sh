#!/usr/bin/env bash
# mSPRT 0.1.2: with many observations to come the mixture's variance is rounded to zero, and the test refuses to run.
#
# It is rounded to two decimals, whatever the data's scale. The error speaks of `tau`, which no argument is called.
# Seen: a standard deviation of 0.3, as of a rate of 10%, works with a truncation of 100,000 and not with 1,000,000.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: mSPRT==0.1.2 numpy==1.26.4 scipy==1.17.1 matplotlib==3.10.8
"$folder/venv/bin/python" - <<'END'
import numpy as np
from msprt import msprt

random = np.random.default_rng(1)
x, y = (random.random((2, 300)) < 0.1).astype(float)
print("truncation 100,000:", msprt(x, y, sigma=0.3, truncation=100_000, distribution="bernoulli").decision)
try:
    msprt(x, y, sigma=0.3, truncation=1_000_000, distribution="bernoulli")
except ValueError as error:
    print("truncation 1,000,000:", error)
    assert str(error) == "tau must be positive", "the behaviour has changed"
else:
    raise AssertionError("the behaviour has changed")
END
