#!/usr/bin/env bash
# mSPRT 0.1.2: the null hypothesis is accepted where it is rejected at the last observation so far.
#
# The decision compares the place of the rejection with the number of observations, as if the two met only without one.
# So a test that is looked at after each observation tells of its rejection one observation late.
# Seen: after 102 pairs the likelihood ratio is far above 20, the bound, and the decision is "Accept H0"; after 103 it is
# "Accept H1", rejected after 102.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: mSPRT==0.1.2 numpy==1.26.4 scipy==1.17.1 matplotlib==3.10.8
"$folder/venv/bin/python" - <<'END'
import numpy as np
from msprt import msprt

random = np.random.default_rng(1)
x, y = (random.random(400) < 0.1).astype(float), (random.random(400) < 0.6).astype(float)
rejected = msprt(x, y, sigma=0.3, distribution="bernoulli").n_rejection
at, after = (msprt(x[:n], y[:n], sigma=0.3, distribution="bernoulli") for n in (rejected, rejected + 1))
ratio = max(at.sequential_probability_ratio)
print(f"after {rejected}: ratio {ratio:.0f}, {at.decision}; after {rejected + 1}: {after.decision}, from {after.n_rejection}")
assert ratio > 20 and at.decision == "Accept H0", "the behaviour has changed"
assert (after.decision, after.n_rejection) == ("Accept H1", rejected), "the behaviour has changed"
END
