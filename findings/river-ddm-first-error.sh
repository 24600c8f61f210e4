#!/usr/bin/env bash
# river 0.26.1: the drift detector DDM takes the first error of a good model for a drift.
#
# After 31 right answers the smallest rate of errors is 0, and its deviation, too, so that any error is beyond any
# number of deviations. A model that is right in 98% begins so in more than half of its streams.
# Seen: one error after 40 right answers is a drift; 371 of 500 streams of 1,000 answers, 2% errors throughout, have
# one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: river==0.26.1 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 scikit-learn==1.9.1
"$folder/venv/bin/python" - <<'END'
import random

from river.drift.binary import DDM


def drifts(stream):
    detector = DDM()
    for error in stream:
        detector.update(error)
        if detector.drift_detected:
            return True
    return False


def steady(seed):
    draw = random.Random(seed)
    return [int(draw.random() < 0.02) for _ in range(1000)]


single, alarms = drifts([0] * 40 + [1]), sum(drifts(steady(seed)) for seed in range(500))
print(f"one error after 40 right answers: drift {single}; steady streams with a drift: {alarms} of 500")
assert single and alarms > 250, "the behaviour has changed"
END
