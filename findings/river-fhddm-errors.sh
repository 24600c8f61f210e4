#!/usr/bin/env bash
# river 0.26.1: the drift detector FHDDM does not see errors rise; it raises its alarm when they fall.
#
# Its documentation says, as that of the other detectors, that 1 is an error and 0 a right answer. The code looks for
# fewer ones. Given right answers as 1, it works.
# Seen: 500 right answers and 500 errors: no drift by FHDDM, after one error by DDM; in the other order a drift.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: river==0.26.1 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 scikit-learn==1.9.1
"$folder/venv/bin/python" - <<'END'
from river.drift.binary import DDM, FHDDM


def first(detector, stream):
    for index, error in enumerate(stream):
        detector.update(error)
        if detector.drift_detected:
            return index
    return None


worse, better = [0] * 500 + [1] * 500, [1] * 500 + [0] * 500
found = [first(FHDDM(), worse), first(FHDDM(), better), first(DDM(), worse), first(DDM(), better)]
print(f"first drift: FHDDM {found[0]} as errors begin, {found[1]} as they end; DDM {found[2]} and {found[3]}")
assert "1 indicates error" in FHDDM.__doc__, "the behaviour has changed"
assert found[0] is None and found[1] is not None and found[2:] == [500, None], "the behaviour has changed"
END
