#!/usr/bin/env bash
# frouros 0.9.0: the drift detector STEPD has a drift wherever a model makes no error at all.
#
# Without errors the deviation is 0. The continuity correction makes the difference negative, the quotient minus
# infinity, and its absolute value is compared: p = 0. So do models that are always wrong.
# Seen: drift at the 60th of 300 right answers, where the test begins; none where right and wrong answers alternate.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: frouros==0.9.0
"$folder/venv/bin/python" - <<'END'
import warnings

from frouros.detectors.concept_drift import STEPD

warnings.simplefilter("ignore", RuntimeWarning)


def first(stream):
    detector = STEPD()
    for index, correct in enumerate(stream):
        detector.update(value=correct)
        if detector.drift:
            return index
    return None


found = [first([1] * 300), first([0] * 300), first([0, 1] * 150)]
print(f"first drift: always right {found[0]}, always wrong {found[1]}, in turn {found[2]}")
assert found == [59, 59, None], "the behaviour has changed"
END
