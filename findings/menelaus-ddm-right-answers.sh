#!/usr/bin/env bash
# menelaus 0.2.0: the drift detector DDM takes thirty right answers for a drift.
#
# It asks whether the rate of errors has reached the smallest one plus some deviations, by "at least". Without an error
# all are 0, and 0 is at least 0. It begins anew then, and finds the next one after thirty more.
# Seen: 300 right answers: a drift at the 30th, and ten in all.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check menelaus==0.2.0
"$folder/venv/bin/python" - <<'END'
import warnings

warnings.simplefilter("ignore")
from menelaus.concept_drift import DDM

detector, drifts = DDM(), []
for index in range(300):
    detector.update(1, 1)
    if detector.drift_state == "drift":
        drifts.append(index)
print(f"drifts among 300 right answers: {drifts}")
assert drifts[0] == 29 and len(drifts) == 10, "the behaviour has changed"
END
