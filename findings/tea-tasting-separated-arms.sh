#!/usr/bin/env bash
# tea-tasting 1.14.0: a difference without any variance has no p-value and no interval, however clear it is.
#
# An arm that always fails beside one that never does is the clearest outcome there is. `nan < 0.05` is False, so a script
# that asks for significance goes on as if the arms were alike. `Proportion` gives an answer.
# Seen: 50 zeros beside 50 ones: `Mean` has an infinite statistic and p NaN, `Proportion` p below 1e-20.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: tea-tasting==1.14.0 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
"$folder/venv/bin/python" - <<'END'
import warnings

import pandas
import tea_tasting

warnings.simplefilter("ignore")
frame = pandas.DataFrame({"variant": [0] * 50 + [1] * 50, "right": [0] * 50 + [1] * 50})
experiment = tea_tasting.Experiment(mean=tea_tasting.Mean("right"), share=tea_tasting.Proportion("right"))
found = experiment.analyze(frame)
mean, share = found["mean"], found["share"]
print(f"Mean: statistic {mean.statistic}, p {mean.pvalue}, interval from {mean.effect_size_ci_lower}; Proportion: p {share.pvalue:.0e}")
assert mean.statistic == float("inf") and mean.pvalue != mean.pvalue, "the behaviour has changed"
assert share.pvalue < 1e-20, "the behaviour has changed"
END
