#!/usr/bin/env bash
# frouros 0.9.0: one value of a thousand in a bin that the reference leaves empty makes the PSI 0.7.
#
# An empty bin counts as the smallest float, 2e-308, whose logarithm is -708, so a thousandth of the values there adds
# 0.7. By the usual rule 0.25 is a major shift.
# Seen: 1,000 values like the reference's: PSI 0.03; with one of them in an empty bin 0.73.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: frouros==0.9.0
"$folder/venv/bin/python" - <<'END'
import numpy as np
from frouros.detectors.data_drift import PSI

draw = np.random.default_rng(0)
reference, same = draw.uniform(0, 0.8, 1000), draw.uniform(0, 0.8, 1000)


def psi(values):
    detector = PSI()
    detector.fit(X=reference)
    return float(detector.compare(X=values)[0].distance)


alike, one = psi(same), psi(np.append(same[:-1], 1.0))
print(f"PSI of alike values {alike:.3f}, with one beyond the reference's {one:.3f}")
assert alike < 0.1 and 0.7 < one < 0.8, "the behaviour has changed"
END
